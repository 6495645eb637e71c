"""How good a checkpoint is on motions it never saw, judged by someone who knows the truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from tqdm import tqdm

from njf_control.jacobian import JacobianField, load_jacobian
from njf_perception.camera import Camera, invert, project, transform
from njf_perception.checkpoint import load_checkpoint
from njf_perception.scene import PixelNerf, PixelNerfScene
from njf_training.dataset import Dataset

MOVING_PX = 1.0  # true motion from which a pixel counts as moving [px]
STRIDE = 4  # every fourth pixel of a view is judged, in both directions


class TrueView(NamedTuple):
    """What really happened in one view between two states."""

    flow: Float[np.ndarray, "h w 2"]  # [px]
    depth: Float[np.ndarray, "h w"]  # [m], NaN where there is no surface
    robot: Bool[np.ndarray, "h w"]  # the pixel shows a part that can move


@runtime_checkable
class Truth(Protocol):
    """Somebody who knows, such as the simulator."""

    def view(self, before: int, after: int, camera: str) -> TrueView:
        """The view of a camera at state `before`, and its motion to state `after`."""
        ...


class ViewScore(NamedTuple):
    """One view of one motion."""

    cosine: float  # mean cosine between predicted and true flow on moving pixels
    error_px: float  # mean end-point error on the robot
    motion_px: float  # mean true motion on the robot
    depth_error_mm: float  # median over the robot
    opacity_iou: float  # rendered silhouette against the true one


@dataclass(frozen=True)
class Predictor:
    """A checkpoint, ready to predict."""

    model: PixelNerf
    jacobian: JacobianField

    @staticmethod
    def load(path: Path) -> "Predictor":
        """Load a checkpoint.

        Raises:
            CheckpointError: see `load_checkpoint`.
        """
        checkpoint = load_checkpoint(path)
        model = checkpoint.scene_model()
        return Predictor(model, load_jacobian(checkpoint, model))

    def flow(
        self,
        scene: PixelNerfScene,
        camera: Camera,
        pixels: Float[np.ndarray, "n 2"],
        command: Float[np.ndarray, " channels"],
    ) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Flow [px], depth [m] and opacity at pixels of any calibrated camera.

        Where the model sees nothing (opacity below one half) it predicts no motion.
        """
        points, opacity = scene.surface_from(camera, torch.from_numpy(pixels).float())
        moved = self.jacobian.displace(scene, points, torch.from_numpy(command).float())
        T = invert(camera.T_world_camera) @ scene.camera.T_world_camera
        local = transform(T, points.double().numpy())
        flow = project(transform(T, moved.double().numpy()), camera.K) - project(local, camera.K)
        seen = opacity.numpy() > 0.5
        return np.where(seen[:, None], flow, 0.0), local[:, 2], opacity.double().numpy()


def evaluate(
    checkpoint: Path, dataset_folder: Path, truth: Truth, limit: int | None = None
) -> dict[str, Any]:
    """Score held-out motions in every camera, at most `limit` of them, spread evenly.

    Returns one entry per camera role ("control", "training", "held_out"): for each figure its mean,
    standard deviation over views, 10th percentile, median, 90th percentile and count.
    """
    dataset = Dataset.open(dataset_folder)
    predictor = Predictor.load(checkpoint)
    commands = dataset.normalized_commands()
    context = dataset.camera_names.index(dataset.control_camera.name)
    scores: dict[str, list[ViewScore]] = {camera.role: [] for camera in dataset.cameras}
    for row in tqdm(_spread_out(dataset.split()[1], limit), "evaluate", unit="motion"):
        before, after = (int(i) for i in dataset.pairs[row])
        image = np.asarray(dataset.images[before, context])
        scene = predictor.model.encode(image, dataset.control_camera)
        command = commands[after] - commands[before]
        for camera in dataset.cameras:
            view = truth.view(before, after, camera.name)
            score = score_view(predictor, scene, camera.camera, command, view)
            if score is not None:
                scores[camera.role].append(score)
    return {role: summarize(found) for role, found in scores.items() if found}


def _spread_out(rows: Int[np.ndarray, " a"], limit: int | None) -> Int[np.ndarray, " b"]:
    if limit is None or limit >= len(rows):
        return rows
    return rows[np.linspace(0, len(rows) - 1, limit).round().astype(int)]


def score_view(
    predictor: Predictor,
    scene: PixelNerfScene,
    camera: Camera,
    command: Float[np.ndarray, " channels"],
    truth: TrueView,
) -> ViewScore | None:
    """Compare one view with the truth; None when nothing moves in it."""
    rows, columns = np.mgrid[0 : camera.height : STRIDE, 0 : camera.width : STRIDE]
    at = (rows.ravel(), columns.ravel())
    robot, true_flow, true_depth = truth.robot[at], truth.flow[at], truth.depth[at]
    moving = robot & (np.linalg.norm(true_flow, axis=-1) > MOVING_PX)
    if not moving.any():
        return None
    pixels = np.stack([at[1], at[0]], axis=-1).astype(np.float64)
    flow, depth, opacity = predictor.flow(scene, camera, pixels, command)
    seen = opacity > 0.5
    both = robot & seen
    error_mm = 1e3 * np.median(np.abs(depth - true_depth)[both]) if both.any() else np.nan
    return ViewScore(
        cosine=float(_cosine(flow[moving], true_flow[moving]).mean()),
        error_px=float(np.linalg.norm(flow - true_flow, axis=-1)[robot].mean()),
        motion_px=float(np.linalg.norm(true_flow, axis=-1)[robot].mean()),
        depth_error_mm=float(error_mm),
        opacity_iou=float(both.sum() / (robot | seen).sum()),
    )


def _cosine(
    predicted: Float[np.ndarray, "n 2"], true: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, " n"]:
    """Cosine of the angle between flows; 0 where nothing was predicted."""
    norms = np.linalg.norm(predicted, axis=-1) * np.linalg.norm(true, axis=-1)
    return (predicted * true).sum(-1) / np.maximum(norms, 1e-9)


def summarize(scores: list[ViewScore]) -> dict[str, Any]:
    """Spread and count of each figure over views."""
    return {name: spread([getattr(s, name) for s in scores]) for name in ViewScore._fields}


def spread(values: list[float]) -> dict[str, float]:
    """Mean, standard deviation, percentiles and count of the finite values."""
    finite = np.array([value for value in values if np.isfinite(value)])
    if not len(finite):
        return {"count": 0}
    low, middle, high = np.percentile(finite, [10, 50, 90])
    return {
        "mean": float(finite.mean()),
        "std": float(finite.std()),
        "p10": float(low),
        "median": float(middle),
        "p90": float(high),
        "count": len(finite),
    }
