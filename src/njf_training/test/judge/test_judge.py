"""The judge on the ball: it asks for the right things and notes them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Int
from PIL import Image

from njf_control.jacobian import make_jacobian
from njf_control.servo.model import SurfaceJacobians
from njf_control.visualization.colors import channel_color
from njf_perception.checkpoint import CameraRecord, CheckpointInfo, make_scene_model
from njf_perception.encoder import EncoderConfig
from njf_perception.scene import PixelNerfConfig
from njf_training.dataset import Dataset
from njf_training.judge import judge as judge_module
from njf_training.judge.colors import flow_colors, sensitivity_image
from njf_training.judge.figures import figures
from njf_training.judge.jacobian_sheet import jacobian_sheet
from njf_training.judge.judge import Judge, JudgeOptions
from njf_training.judge.predictor import Predictor, thin, thinned
from njf_training.judge.sheet import prediction_sheet
from njf_training.judge.truth import TrueView


class BallTruth:
    """The exact flow that the ball's dataset holds, and a Jacobian along x."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def view(self, before: int, after: int, camera: str) -> TrueView:
        index = self.dataset.camera_names.index(camera)
        row = int(np.flatnonzero(self.dataset.pairs[:, 0] == before)[0])
        half = np.asarray(self.dataset.flow[row, index]).astype(np.float64)
        flow = half.repeat(2, axis=0).repeat(2, axis=1)
        robot = self.dataset.mask(before, index) & ~np.isnan(flow).any(-1)
        return TrueView(np.nan_to_num(flow), np.full(robot.shape, 0.5), robot)

    def jacobian(self, state: int, camera: str, pixels: Int[np.ndarray, "n 2"]) -> SurfaceJacobians:
        metric = np.zeros((len(pixels), 3, 1))
        metric[:, 0] = 0.06
        points = self.dataset.control_camera.rays(pixels.astype(float)) * 0.5
        return SurfaceJacobians(points, np.ones(len(pixels)), metric)


@pytest.fixture(scope="module")
def judge(ball_dataset: Path) -> Judge:
    """An untrained model before the judge; its unit is half a radian."""
    dataset = Dataset.open(ball_dataset)
    info = CheckpointInfo(
        robot=dataset.robot,
        channel_names=dataset.channel_names,
        channel_units=dataset.channel_units,
        command_center=[0.0],
        command_half_range=[0.5],
        camera=CameraRecord.of(dataset.control_camera),
        workspace_min_m=[-0.12, -0.06, 0.0],
        workspace_max_m=[0.12, 0.06, 0.09],
        perception=PixelNerfConfig(
            encoder=EncoderConfig(input_width=32, input_height=24, width=4),
            coarse_samples=6,
            fine_samples=4,
        ),
        jacobian={},
    )
    torch.manual_seed(0)
    model = make_scene_model(info).eval()
    predictor = Predictor(model, make_jacobian(info, model).eval(), np.zeros(1), np.full(1, 0.5))
    return Judge(predictor, dataset, BallTruth(dataset))


@pytest.fixture(scope="module")
def metrics(judge: Judge) -> dict:
    """Figures of two motions; the ball is small, so every second pixel counts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge_module, "STRIDE", 2)
        found = judge.run(JudgeOptions(motions=2))
    about = judge.describe()
    return figures(found, about["channels"], about["units"], about["half_range"])


def test_all_figures_are_there(metrics: dict) -> None:
    assert set(metrics["flow"]) == {"control", "training"}
    assert metrics["flow"]["control"]["error_px"]["motions"] == 2
    assert -1 <= metrics["jacobian"]["channels"]["slide"]["cosine"]["mean"] <= 1
    exact = metrics["command_recovery"]["exact_jacobian"]
    assert exact["channels"]["slide"]["unit"] == "deg"
    assert exact["relative"]["mean"] >= 0
    assert metrics["confidence"]["count"] > 0


def test_commands_are_in_the_units_of_the_checkpoint(judge: Judge) -> None:
    motion = judge.motion(0)
    change = np.diff(judge.dataset.commands[judge.dataset.pairs[0]], axis=0)[0]
    np.testing.assert_allclose(motion.command, change / 0.5)


def test_outside_motions_leave_the_range_that_the_checkpoint_knows(judge: Judge) -> None:
    every = judge.rows(JudgeOptions())
    reach = np.abs(judge.dataset.commands[judge.dataset.pairs[every]]).max(axis=(1, 2)) / 0.5
    between = float(reach.mean())
    outside = judge.rows(JudgeOptions(motions_from="outside", inside=between))
    assert 0 < len(outside) < len(every)
    assert outside.tolist() == every[reach > between].tolist()


def test_thinned_camera_looks_at_pixels_of_the_full_one(judge: Judge) -> None:
    camera = judge.dataset.control_camera
    few = thinned(camera, 6)
    grid = np.stack(np.meshgrid(np.arange(64), np.arange(48)), -1).astype(float)
    kept = thin(grid, 6)
    assert kept.shape[:2] == (few.height, few.width)
    columns = np.stack(np.meshgrid(np.arange(few.width), np.arange(few.height)), -1).astype(float)
    np.testing.assert_allclose(few.rays(columns), camera.rays(kept), atol=1e-12)


def test_sheets_are_drawn(judge: Judge, metrics: dict, tmp_path: Path) -> None:
    prediction_sheet(judge, 0, ["camera_0", "camera_2"], metrics, tmp_path / "prediction.png")
    jacobian_sheet(judge, 0, tmp_path / "jacobian.png")
    for name in ("prediction", "jacobian"):
        picture = np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"))
        assert picture.std() > 5  # something is drawn


def test_still_pixels_are_white_and_opposite_motions_differ() -> None:
    flow = np.array([[[0.0, 0.0], [2.0, 0.0], [-2.0, 0.0], [9.0, 0.0], [np.nan, 0.0]]])
    still, right, left, far, unknown = flow_colors(flow, largest_px=2.0)[0].astype(int)
    assert still.tolist() == unknown.tolist() == [255, 255, 255]
    assert np.abs(right - left).max() > 200
    assert right.tolist() == far.tolist()  # longer than the scale is as strong as it gets


def test_sensitivity_is_white_to_full_colour_over_a_dim_photo() -> None:
    photo = np.full((1, 3, 3), 200, np.uint8)
    strength, cover = np.array([[0.0, 0.0, 1.0]]), np.array([[0.0, 1.0, 1.0]])
    beside, still, moving = sensitivity_image(photo, strength, cover, 2)[0]
    assert beside.max() < 0.6
    np.testing.assert_allclose(still, 1.0)
    np.testing.assert_allclose(moving, channel_color(2))
