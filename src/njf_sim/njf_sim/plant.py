"""The moving robot behind the fakes: physics in real time, in a thread of its own."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from njf_sim.robot_model import RobotModel

_PERIOD_S = 0.004
_MAX_LAG_S = 0.25


@runtime_checkable
class Plant(Protocol):
    """What a fake motor moves. Safe to call from several threads."""

    def set_goal(self, motor_id: int, goal_rad: float | None) -> None:
        """Pull the joint of a motor to a position [rad]; None lets it go (torque off)."""
        ...

    def position(self, motor_id: int) -> float:
        """Position of the motor's joint [rad]."""
        ...

    def speed(self, motor_id: int) -> float:
        """Speed of the motor's joint [rad/s]."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """The plant at one instant.

    Attributes:
        position, velocity: joints in channel order [rad, rad/s].
        tip: the fingertip in the world [m].
    """

    position: Float[np.ndarray, " n"]
    velocity: Float[np.ndarray, " n"]
    tip: Float[np.ndarray, "3"]


class SimulatedPlant:
    """Steps a `RobotModel` along the wall clock. `start` it, and `close` it at the end."""

    def __init__(self, robot: RobotModel, motor_ids: Sequence[int]) -> None:
        """Connect motors to the robot's channels, both in the same order."""
        self._robot = robot
        self._index = {motor_id: index for index, motor_id in enumerate(motor_ids)}
        self._goal = robot.position
        self._limp = np.ones(len(motor_ids), bool)  # servos wake up with their torque off
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plant", daemon=True)
        self._start_s = 0.0
        self.lost_s = 0.0  # simulated time given up because the computer was too slow

    def start(self) -> None:
        """Let time run."""
        self._start_s = time.monotonic() - self._robot.time_s
        self._thread.start()

    def close(self) -> None:
        """Stop time. Harmless when it never ran."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def set_goal(self, motor_id: int, goal_rad: float | None) -> None:
        """See `Plant`."""
        index = self._index[motor_id]
        with self._lock:
            self._limp[index] = goal_rad is None
            if goal_rad is not None:
                self._goal[index] = goal_rad

    def position(self, motor_id: int) -> float:
        """See `Plant`."""
        with self._lock:
            return float(self._robot.position[self._index[motor_id]])

    def speed(self, motor_id: int) -> float:
        """See `Plant`."""
        with self._lock:
            return float(self._robot.velocity[self._index[motor_id]])

    def snapshot(self) -> Snapshot:
        """The state now: at most one physics step old while the plant runs."""
        with self._lock:
            if self._thread.is_alive():
                self._catch_up()
            return Snapshot(self._robot.position, self._robot.velocity, self._robot.tip)

    def _run(self) -> None:
        while not self._stop.wait(_PERIOD_S):
            with self._lock:
                self._catch_up()

    def _catch_up(self) -> None:
        """Step until simulated time is wall time."""
        behind_s = time.monotonic() - self._start_s - self._robot.time_s
        if behind_s > _MAX_LAG_S:
            self.lost_s += behind_s
            self._start_s += behind_s
            return
        # A limp joint has no goal of its own: its servo's gear only damps it.
        self._robot.set_goal(np.where(self._limp, self._robot.position, self._goal))
        self._robot.step(int(behind_s / self._robot.timestep_s))
