"""The judge: every held-out motion in several cameras, and what the servo would make of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from tqdm import tqdm

from njf_control.jacobian.confidence import is_right, is_telling
from njf_control.servo.model import SurfaceJacobians
from njf_perception.scene import PixelNerfScene
from njf_training.dataset import Dataset, DatasetCamera
from njf_training.judge.channels import JacobianScore, image_jacobian, score_jacobian
from njf_training.judge.predictor import Predictor
from njf_training.judge.recovery import recovered_command
from njf_training.judge.truth import TrueView, Truth
from njf_training.judge.views import ViewScore, robot_pixels, score_view

STRIDE = 4  # every fourth pixel of the control image is asked for Jacobians
FLOOR = "exact_jacobian"  # kind of recovery with the simulator's Jacobian instead of the model's


@dataclass(frozen=True)
class JudgeOptions:
    """How much is judged.

    Attributes:
        motions: held-out motions, spread evenly; all when None.
        jacobian_motions: of these, how many are asked for exact Jacobians (slow for soft robots).
        training_cameras: training cameras looked through per motion, in turn.
        motions_from: "held_out": trajectories never trained on; "outside": of these only motions
            with a set-point outside the share `inside` of the range that the checkpoint knows.
        inside: see `motions_from`.
        view_stride: every so many pixels of a view are rendered and judged, in both directions.
        seed: of the bootstrap.
    """

    motions: int | None = 40
    jacobian_motions: int | None = None
    training_cameras: int = 1
    motions_from: Literal["held_out", "outside"] = "held_out"
    inside: float = 1.0
    view_stride: int = 6
    seed: int = 0


@dataclass
class Findings:
    """Raw figures of all motions; lists of equal length per group.

    Attributes:
        views: (motion, role, score).
        jacobians: (motion, score).
        recovered: per kind of flow, (motion, recovered step, true step), normalised.
        confidence, right: of the robot's telling points in the control camera, see
            `njf_control.jacobian.confidence`.
        confidence_beside: mean confidence beside the robot, per motion.
    """

    views: list[tuple[int, str, ViewScore]] = field(default_factory=list)
    jacobians: list[tuple[int, JacobianScore]] = field(default_factory=list)
    recovered: dict[str, list[tuple[int, np.ndarray, np.ndarray]]] = field(default_factory=dict)
    confidence: list[Float[np.ndarray, " n"]] = field(default_factory=list)
    right: list[Bool[np.ndarray, " n"]] = field(default_factory=list)
    confidence_beside: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Motion:
    """One row of `Dataset.pairs`, understood by a checkpoint."""

    row: int
    before: int
    after: int
    start: Float[np.ndarray, " k"]  # set-point before [normalised]
    command: Float[np.ndarray, " k"]  # step [normalised]
    scene: PixelNerfScene


class Judge:
    """One checkpoint, one data set, and somebody who knows."""

    def __init__(self, predictor: Predictor, dataset: Dataset, truth: Truth) -> None:
        self.predictor, self.dataset, self.truth = predictor, dataset, truth
        self.commands = predictor.normalised(np.asarray(dataset.commands))
        self.context = dataset.camera_names.index(dataset.control_camera.name)
        self.findings = Findings()

    def run(self, options: JudgeOptions) -> Findings:
        """Judge the motions that `options` ask for."""
        rows = spread_out(self.rows(options), options.motions)
        exact = set(spread_out(rows, options.jacobian_motions).tolist())
        for index, row in enumerate(tqdm(rows, "evaluate", unit="motion")):
            motion = self.motion(int(row))
            for camera in self._cameras(index, options.training_cameras):
                view = self.truth.view(motion.before, motion.after, camera.name)
                self._judge_view(motion, camera, view, options.view_stride)
                if camera.role == "control":
                    self._judge_control(motion, view, int(row) in exact)
        return self.findings

    def rows(self, options: JudgeOptions) -> Int[np.ndarray, " a"]:
        """Rows of `Dataset.pairs` that may be judged."""
        rows = self.dataset.split().test
        if options.motions_from == "outside":
            reach = np.abs(self.commands[self.dataset.pairs[rows]]).max(axis=(1, 2))
            rows = rows[reach > options.inside]
        return rows

    def motion(self, row: int) -> Motion:
        """A motion, and what the checkpoint makes of the image before it."""
        before, after = (int(i) for i in self.dataset.pairs[row])
        image = np.asarray(self.dataset.images[before, self.context])
        scene = self.predictor.encode(image, self.dataset.control_camera)
        start = self.commands[before]
        return Motion(row, before, after, start, self.commands[after] - start, scene)

    def _cameras(self, index: int, training: int) -> Iterator[DatasetCamera]:
        others = [camera for camera in self.dataset.cameras if camera.role == "training"]
        count = min(training, len(others))
        chosen = [others[(index * count + i) % len(others)].name for i in range(count)]
        for camera in self.dataset.cameras:
            if camera.role != "training" or camera.name in chosen:
                yield camera

    def _judge_view(
        self, motion: Motion, camera: DatasetCamera, truth: TrueView, stride: int
    ) -> None:
        index = self.dataset.camera_names.index(camera.name)
        predicted = self.predictor.view(motion.scene, camera.camera, stride, motion.command)
        image = np.asarray(self.dataset.images[motion.before, index])
        background = np.asarray(self.dataset.background[index])
        score = score_view(predicted, truth, image, background, stride)
        if score is not None:
            self.findings.views.append((motion.row, camera.role, score))

    def _judge_control(self, motion: Motion, view: TrueView, exact: bool) -> None:
        """What the servo gets: Jacobians at pixels of the control image."""
        pixels = robot_pixels(view.robot, STRIDE)
        if not len(pixels):
            return
        surface = self.predictor.surface(motion.scene, pixels)
        self._judge_confidence(motion, view, pixels, surface)
        estimated, true = self._flows(motion, view, pixels)
        self._recover("estimated_flow", motion, surface, pixels, estimated)
        self._recover("exact_flow", motion, surface, pixels, true)
        known = self._exact(motion, pixels) if exact else None
        if known is not None:
            self._recover(FLOOR, motion, known, pixels, estimated)
            K = self.dataset.control_camera.K
            score = score_jacobian(image_jacobian(surface, K), image_jacobian(known, K))
            self.findings.jacobians.append((motion.row, score))

    def _exact(self, motion: Motion, pixels: Float[np.ndarray, "n 2"]) -> SurfaceJacobians | None:
        camera = self.dataset.control_camera.name
        known = self.truth.jacobian(motion.before, camera, pixels.astype(int))
        if known is None:
            return None
        jacobian = known.jacobian_m * self.predictor.command_half_range
        return SurfaceJacobians(known.points_m, known.confidence, jacobian)

    def _flows(
        self, motion: Motion, view: TrueView, pixels: Float[np.ndarray, "n 2"]
    ) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]:
        """Estimated (NaN unknown) and exact flow at integer pixels of the control image."""
        u, v = pixels.astype(int).T
        half = self.dataset.flow[motion.row, self.context]
        row, column = (np.minimum(x // 2, n - 1) for x, n in zip((v, u), half.shape, strict=False))
        return np.asarray(half)[row, column].astype(np.float64), view.flow[v, u]

    def _recover(
        self,
        kind: str,
        motion: Motion,
        surface: SurfaceJacobians,
        pixels: Float[np.ndarray, "n 2"],
        flow: Float[np.ndarray, "n 2"],
    ) -> None:
        K = self.dataset.control_camera.K
        reach = max(1.0, float(np.abs(self.commands).max()))
        found = recovered_command(surface, K, pixels, flow, motion.start, reach)
        if found is not None:
            self.findings.recovered.setdefault(kind, []).append((motion.row, found, motion.command))

    def _judge_confidence(
        self,
        motion: Motion,
        view: TrueView,
        pixels: Float[np.ndarray, "n 2"],
        surface: SurfaceJacobians,
    ) -> None:
        u, v = pixels.astype(int).T
        true, camera = view.flow[v, u], self.dataset.control_camera
        predicted = self.predictor.flow(motion.scene, camera, surface.points_m, motion.command)
        telling = is_telling(predicted, true)
        self.findings.confidence.append(surface.confidence[telling])
        self.findings.right.append(is_right(predicted, true)[telling])
        beside = robot_pixels(~view.robot, 4 * STRIDE)
        if len(beside):
            around = self.predictor.surface(motion.scene, beside).confidence
            self.findings.confidence_beside.append(float(around.mean()))

    def describe(self) -> dict[str, Any]:
        """What was judged on what."""
        return {
            "dataset": self.dataset.info.content_id,
            "states": len(self.dataset.commands),
            "channels": self.dataset.channel_names,
            "units": self.dataset.channel_units,
            "half_range": self.predictor.command_half_range.tolist(),
        }


def spread_out(rows: Int[np.ndarray, " a"], limit: int | None) -> Int[np.ndarray, " b"]:
    """At most `limit` of the rows, evenly spread."""
    if limit is None or limit >= len(rows):
        return rows
    return rows[np.linspace(0, len(rows) - 1, limit).round().astype(int)]
