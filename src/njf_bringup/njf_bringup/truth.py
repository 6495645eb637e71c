"""The simulator as the judge of a checkpoint: exact flow and depth of a dataset's states."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from njf_control.robot import RobotConfig
from njf_perception.errors import DataError
from njf_sim.flow import GroundTruth
from njf_sim.robot_model import RobotModel
from njf_training.evaluate import TrueView


class SimulatorTruth:
    """`njf_training.evaluate.Truth` from the true joint positions kept beside a dataset."""

    def __init__(self, dataset: Path, robot: RobotConfig) -> None:
        """Compile the simulated robot.

        Raises:
            DataError: the dataset has no true positions, because no simulator made it.
        """
        self._positions = _true_positions(dataset, robot)
        self._exact = GroundTruth(RobotModel.from_robot(robot))

    def view(self, before: int, after: int, camera: str) -> TrueView:
        """Exact view of `camera` at state `before`, and its motion to state `after`."""
        exact = self._exact.flow(camera, self._positions[before], self._positions[after])
        return TrueView(
            flow=exact.flow.astype(np.float64),
            depth=exact.depth.astype(np.float64),
            robot=exact.moving,
        )


def _true_positions(dataset: Path, robot: RobotConfig) -> Float[np.ndarray, "t n"]:
    path = dataset / "truth.npz"
    if not path.is_file():
        raise DataError(
            f"{path} does not exist, so nobody knows the true motion. Only datasets recorded with "
            "--sim can be judged by exact flow."
        )
    with np.load(path) as truth:
        names = truth["joint_names"].tolist()
        order = [names.index(name) for name in robot.channel_names]
        return truth["joint_positions_rad"][:, order].astype(np.float64)
