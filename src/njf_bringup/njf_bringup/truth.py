"""The simulator as the judge of a checkpoint: exact motion of a dataset's states."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from njf_control.robot import RobotConfig
from njf_control.servo.model import SurfaceJacobians
from njf_perception.errors import DataError
from njf_sim.flow import GroundTruth
from njf_sim.robot_model import RobotModel
from njf_training.judge.truth import TrueView


class SimulatorTruth:
    """`njf_training.judge.truth.Truth` from the true configurations kept beside a dataset."""

    def __init__(self, dataset: Path, robot: RobotConfig) -> None:
        """Compile the simulated robot.

        Raises:
            DataError: the dataset has no true positions, because no simulator made it.
        """
        self._model = RobotModel.from_robot(robot.with_training_size())
        self._configurations = _true_configurations(dataset, self._model.configuration_names)
        self._setpoints = np.load(dataset / "commands.npy", mmap_mode="r")
        self._half_range = (robot.upper - robot.lower) / 2
        self._exact = GroundTruth(self._model)

    @property
    def is_kinematic(self) -> bool:
        """Exact Jacobians cost nothing; else every one takes some simulated seconds."""
        return self._model.is_kinematic

    def view(self, before: int, after: int, camera: str) -> TrueView:
        """Exact view of `camera` at state `before`, and its motion to state `after`."""
        pair = self._configurations[before], self._configurations[after]
        exact = self._exact.flow(camera, *pair)
        return TrueView(
            flow=exact.flow.astype(np.float64),
            depth=exact.depth.astype(np.float64),
            robot=exact.moving,
        )

    def jacobian(self, state: int, camera: str, pixels: Int[np.ndarray, "n 2"]) -> SurfaceJacobians:
        """Exact surface [m, camera frame] and Jacobians [m per channel unit] at a state."""
        configuration = self._configurations[state]
        self._model.set_configuration(configuration)
        derivative = self._model.derivative(np.asarray(self._setpoints[state]), self._half_range)
        exact = self._exact.jacobian(camera, configuration, pixels, derivative)
        known = np.isfinite(exact.points).all(-1)
        return SurfaceJacobians(np.nan_to_num(exact.points), known.astype(float), exact.metric)


def _true_configurations(dataset: Path, names: list[str]) -> Float[np.ndarray, "t q"]:
    path = dataset / "truth.npz"
    if not path.is_file():
        raise DataError(
            f"{path} does not exist, so nobody knows the true motion. Only datasets recorded with "
            "--sim can be judged by exact flow."
        )
    with np.load(path) as truth:
        found = truth["joint_names"].tolist()
        if missing := sorted(set(names) - set(found)):
            raise DataError(
                f"{path} lacks the joints {missing}, it has {found}. Was it recorded with an "
                "older model of the robot? Record again."
            )
        order = [found.index(name) for name in names]
        return truth["joint_positions"][:, order].astype(np.float64)
