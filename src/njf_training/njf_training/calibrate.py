"""Calibrates a checkpoint's confidence: how often is it right on motions that it did not train on?

Asked of the motions held back for validation, against the flow that was measured in them. So it
works on a real robot, and inherits what that flow cannot see: where its error is one that the
model has learnt, too (motion smeared across an outline), the share of right points is overrated.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from njf_control.jacobian import JacobianField, load_jacobian
from njf_control.jacobian.confidence import Calibration, is_right, is_telling
from njf_perception.camera import project
from njf_perception.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from njf_perception.errors import DataError
from njf_perception.scene import PixelNerf
from njf_training.dataset import Dataset

STRIDE = 2  # every second pixel of the flow, in both directions
SHRINKAGE = 0.01  # pulls weights to zero: a penalty per squared weight of a standardised sign


class Evidence(NamedTuple):
    """Points of motions that tell whether the model was right."""

    motion: Int[np.ndarray, " n"]  # row of `Dataset.pairs`
    signs: Float[np.ndarray, "n 2"]  # see `confidence_signs`
    right: Bool[np.ndarray, " n"]


def calibrate_checkpoint(path: Path, dataset: Dataset) -> Calibration:
    """Calibrate the confidence of a checkpoint in place; its weights stay as they are.

    Raises:
        CheckpointError: the file is no checkpoint, or of another robot.
        DataError: no motion held back for validation tells anything.
    """
    checkpoint = load_checkpoint(path)
    checkpoint.require(dataset.robot, dataset.channel_names)
    calibration = fit(gather(checkpoint, dataset))
    info = checkpoint.info.model_copy(update={"confidence": calibration.model_dump()})
    save_checkpoint(path, info, checkpoint.perception, checkpoint.jacobian, checkpoint.reference)
    return calibration


def gather(checkpoint: Checkpoint, dataset: Dataset) -> Evidence:
    """What the validation's motions say, as the control camera sees them.

    Raises:
        DataError: nothing, because none of them moves a point by more than a pixel.
    """
    model = checkpoint.scene_model()
    field = load_jacobian(checkpoint, model)
    setpoints = np.asarray(dataset.commands) - checkpoint.command_center
    commands = torch.from_numpy(setpoints / checkpoint.command_half_range).float()
    rows = dataset.split().validation
    found = [
        _evidence(model, field, dataset, int(row), commands)
        for row in tqdm(rows, "calibrate", unit="motion")
    ]
    if not sum(len(each.motion) for each in found):
        raise DataError(
            f"{dataset.folder}: its {len(rows)} motions held back for validation show no motion "
            "of more than a pixel, so nobody can tell how sure the model may be. Record longer, "
            "or with larger steps."
        )
    return Evidence(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def fit(evidence: Evidence) -> Calibration:
    """The logistic function of the signs that makes the evidence most likely."""
    signs = torch.from_numpy(evidence.signs).double()
    middle, scale = signs.mean(0), signs.std(0, correction=0).clamp_min(1e-6)
    standard = torch.cat([torch.ones(len(signs), 1), (signs - middle) / scale], dim=1).double()
    weights = _logistic(standard, _smoothed(evidence.right))
    spread, motion = (weights[1:] / scale).tolist()
    return Calibration(
        bias=float(weights[0] - (weights[1:] * middle / scale).sum()),
        log_spread=spread,
        log_motion=motion,
        motions=len(np.unique(evidence.motion)),
        points=len(signs),
        right=float(evidence.right.mean()),
    )


def _evidence(
    model: PixelNerf, field: JacobianField, dataset: Dataset, row: int, commands: Tensor
) -> Evidence:
    """Points on the robot in one motion whose measured or predicted motion tells something."""
    before, after = (int(state) for state in dataset.pairs[row])
    camera = dataset.control_camera
    index = dataset.camera_names.index(camera.name)
    half = np.asarray(dataset.flow[row, index]).astype(np.float64)
    robot = dataset.mask(before, index)[::2, ::2] & np.isfinite(half).all(-1)
    r, c = (STRIDE * places for places in np.nonzero(robot[::STRIDE, ::STRIDE]))
    scene = model.encode(np.asarray(dataset.images[before, index]), camera)
    points, _ = scene.surface(torch.from_numpy(np.stack([2 * c + 0.5, 2 * r + 0.5], -1)).float())
    moved = field.displace(scene, points, commands[after] - commands[before])
    predicted = _projected(moved, camera.K) - _projected(points, camera.K)
    telling = is_telling(predicted, half[r, c])
    signs = field.signs(scene, points).double().numpy()[telling]
    right = is_right(predicted, half[r, c])[telling]
    return Evidence(np.full(len(right), row), signs, right)


def _projected(points: Float[Tensor, "n 3"], K: Float[np.ndarray, "3 3"]) -> np.ndarray:
    return project(points.double().numpy(), K)


def _smoothed(right: Bool[np.ndarray, " n"]) -> Float[Tensor, " n"]:
    """Targets just short of 0 and 1, so that points that are all right leave a doubt (Platt)."""
    yes, no = int(right.sum()), int((~right).sum())
    return torch.from_numpy(np.where(right, (yes + 1) / (yes + 2), 1 / (no + 2)))


def _logistic(signs: Float[Tensor, "n s"], target: Float[Tensor, " n"]) -> Float[Tensor, " s"]:
    """Weights of the most likely logistic function; the first, the bias, is not shrunk."""
    weights = torch.zeros(signs.shape[1], dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        misfit = functional.binary_cross_entropy_with_logits(signs @ weights, target)
        total = misfit + SHRINKAGE / 2 * weights[1:].square().sum()
        total.backward()
        return total

    optimizer.step(loss)  # type: ignore[arg-type]
    return weights.detach()
