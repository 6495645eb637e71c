"""Flow colours and the sheet of predictions."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from njf_control.jacobian import make_jacobian
from njf_perception.checkpoint import CameraRecord, CheckpointInfo, make_scene_model
from njf_perception.encoder import EncoderConfig
from njf_perception.scene import PixelNerfConfig
from njf_training.dataset import Dataset
from njf_training.evaluate import Predictor, TrueView
from njf_training.pictures import flow_colors, prediction_sheet


def test_still_pixels_are_white_and_opposite_motions_differ() -> None:
    flow = np.array([[[0.0, 0.0], [2.0, 0.0], [-2.0, 0.0], [9.0, 0.0]]])
    still, right, left, far = flow_colors(flow, largest_px=2.0)[0].astype(int)
    assert still.tolist() == [255, 255, 255]
    assert np.abs(right - left).max() > 200
    assert right.tolist() == far.tolist()  # longer than the scale is as strong as it gets


def test_unknown_flow_is_drawn_as_still() -> None:
    assert flow_colors(np.full((1, 1, 2), np.nan), 1.0)[0, 0].tolist() == [255, 255, 255]


def test_sheet_has_a_row_per_camera(ball_dataset: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(ball_dataset)
    untrained = predictor(dataset)
    names = ["camera_0", "camera_2"]
    path = tmp_path / "sheet.png"
    prediction_sheet(untrained, dataset, StillTruth(), 0, names, path)
    width, height = Image.open(path).size
    assert (width, height) == (1200, 250 * len(names))
    assert np.asarray(Image.open(path).convert("L")).std() > 5  # something is drawn


def predictor(dataset: Dataset) -> Predictor:
    """A small model with random weights."""
    info = CheckpointInfo(
        robot=dataset.robot,
        channel_names=dataset.channel_names,
        channel_units=dataset.channel_units,
        command_center=[0.0],
        command_half_range=[1.0],
        camera=CameraRecord.of(dataset.control_camera),
        workspace_min_m=[-0.12, -0.06, 0.0],
        workspace_max_m=[0.12, 0.06, 0.09],
        perception=PixelNerfConfig(encoder=EncoderConfig(input_width=32, input_height=24, width=4)),
        jacobian={},
    )
    torch.manual_seed(0)
    model = make_scene_model(info).eval()
    return Predictor(model, make_jacobian(info, model).eval())


class StillTruth:
    """Nothing moves."""

    def view(self, before: int, after: int, camera: str) -> TrueView:
        shape = (48, 64)
        return TrueView(np.zeros((*shape, 2)), np.ones(shape), np.ones(shape, bool))
