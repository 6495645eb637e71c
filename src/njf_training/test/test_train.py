"""Training on the ball: it learns, resumes exactly, and writes usable checkpoints."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from njf_control.jacobian import JacobianConfig
from njf_control.robot import RobotConfig
from njf_perception.checkpoint import load_checkpoint
from njf_perception.encoder import EncoderConfig
from njf_perception.errors import DataError
from njf_perception.field import FieldConfig
from njf_perception.scene import PixelNerfConfig
from njf_training.dataset import Dataset
from njf_training.evaluate import Predictor, TrueView, evaluate, score_view
from njf_training.train import TrainConfig, Trainer, train

SMALL = FieldConfig(hidden=32, layers=2, frequencies=3)
CONFIG = TrainConfig(
    steps=150,
    batch=4,
    rays=48,
    warmup_steps=10,
    learning_rate=5e-3,
    ema=0.9,
    save_every=50,
    threads=1,
    perception=PixelNerfConfig(
        encoder=EncoderConfig(input_width=32, input_height=24, width=4, features=8, code=16),
        field=SMALL,
    ),
    jacobian=JacobianConfig(field=SMALL, twist_hidden=16),
)
ROBOT = RobotConfig.model_validate(
    {
        "name": "ball",
        "channels": [
            {"name": "slide", "unit": "rad", "lower": -1, "upper": 1, "max_rate": 1, "motor_id": 1}
        ],
        "driver": {"kind": "dynamixel", "model": "xl320", "port": "", "baud": 1, "rate_hz": 50},
        "safety": {},
        "cameras": [{"name": "camera_0", "role": "control", "width": 64, "height": 48}],
        "simulation": {"mjcf": "ball.xml"},
        "workspace_min_m": [-0.12, -0.06, 0.0],
        "workspace_max_m": [0.12, 0.06, 0.09],
    }
)


@pytest.fixture(scope="module")
def run(ball_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run's folder."""
    out = tmp_path_factory.mktemp("run")
    train(ball_dataset, ROBOT, out, CONFIG)
    return out


def test_flow_of_held_out_motions_points_the_right_way(run: Path, ball_dataset: Path) -> None:
    dataset = Dataset.open(ball_dataset)
    report = evaluate(run / "checkpoint.pt", ball_dataset, FlowOfDataset(dataset))
    assert report["control"]["cosine"]["mean"] > 0.9
    assert report["training"]["cosine"]["mean"] > 0.8
    assert report["control"]["error_px"]["mean"] < report["control"]["motion_px"]["mean"]


def test_checkpoint_says_what_it_is_for(run: Path) -> None:
    info = load_checkpoint(run / "checkpoint.pt").info
    assert (info.robot, info.channel_names, info.camera.name) == ("ball", ["slide"], "camera_0")
    assert info.training["states"] == 40


def test_resumed_run_equals_an_uninterrupted_one(ball_dataset: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"steps": 6, "save_every": 3})
    train(ball_dataset, ROBOT, tmp_path / "whole", config)
    interrupted = Trainer(Dataset.open(ball_dataset), ROBOT, config)
    rows, _ = interrupted.dataset.split()
    for step in range(3):
        rng = np.random.default_rng([config.seed, step])
        interrupted.update(interrupted.sampler.batch(rng.choice(rows, config.batch), rng))
    (tmp_path / "half").mkdir()
    interrupted.save(tmp_path / "half")
    train(ball_dataset, ROBOT, tmp_path / "half", config)
    whole, half = (load_checkpoint(tmp_path / n / "checkpoint.pt") for n in ("whole", "half"))
    for name, weight in whole.perception.items():
        assert torch.equal(weight, half.perception[name]), name
    for name, weight in whole.jacobian.items():
        assert torch.equal(weight, half.jacobian[name]), name


def test_resuming_with_another_configuration_is_refused(run: Path, ball_dataset: Path) -> None:
    other = CONFIG.model_copy(update={"learning_rate": 1e-3})
    with pytest.raises(DataError, match="another configuration"):
        train(ball_dataset, ROBOT, run, other)


def test_resuming_on_another_dataset_is_refused(
    run: Path, ball_dataset: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(ball_dataset, tmp_path / "copy")
    info = json.loads((copy / "dataset.json").read_text()) | {"content_id": "another"}
    (copy / "dataset.json").write_text(json.dumps(info))
    with pytest.raises(DataError, match="another dataset"):
        train(copy, ROBOT, run, CONFIG)


def test_a_perfect_prediction_scores_one(run: Path, ball_dataset: Path) -> None:
    dataset = Dataset.open(ball_dataset)
    predictor = Predictor.load(run / "checkpoint.pt")
    camera = dataset.control_camera
    scene = predictor.model.encode(np.asarray(dataset.images[0, 0]), camera)
    command = np.array([0.3])
    rows, columns = np.mgrid[0 : camera.height, 0 : camera.width]
    pixels = np.stack([columns.ravel(), rows.ravel()], -1).astype(float)
    flow, depth, opacity = predictor.flow(scene, camera, pixels, command)
    shape = (camera.height, camera.width)
    seen = (opacity > 0.5).reshape(shape)
    truth = TrueView(flow.reshape(*shape, 2), depth.reshape(shape), seen)
    score = score_view(predictor, scene, camera, command, truth)
    assert score is not None
    assert score.cosine == pytest.approx(1.0, abs=1e-5)
    assert score.error_px == pytest.approx(0.0, abs=1e-4)
    assert score.depth_error_mm == pytest.approx(0.0, abs=1e-3)
    assert score.opacity_iou == pytest.approx(1.0)


class FlowOfDataset:
    """Truth taken from the exact flow that the ball dataset holds."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def view(self, before: int, after: int, camera: str) -> TrueView:
        index = self.dataset.camera_names.index(camera)
        row = int(np.flatnonzero(self.dataset.pairs[:, 0] == before)[0])
        half = np.asarray(self.dataset.flow[row, index]).astype(np.float64)
        flow = half.repeat(2, axis=0).repeat(2, axis=1)
        robot = self.dataset.mask(before, index) & ~np.isnan(flow).any(-1)
        return TrueView(np.nan_to_num(flow), np.full(robot.shape, 0.5), robot)
