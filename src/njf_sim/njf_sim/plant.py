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
    """What a fake device moves. Safe to call from several threads.

    `channel_id` is the id of a motor on its bus, or the index of a channel on a device without ids.
    """

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        """Pull a channel to a set-point [channel unit]; None lets it go (torque off, vented)."""
        ...

    def position(self, channel_id: int) -> float:
        """What the channel measures [channel unit]."""
        ...

    def speed(self, channel_id: int) -> float:
        """How fast that changes [channel unit / s]."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """The plant at one instant.

    Attributes:
        configuration: the whole robot, see `RobotModel.configuration` [rad, m].
        tips: the sites that it is judged by, in the world [m].
    """

    configuration: Float[np.ndarray, " q"]
    tips: Float[np.ndarray, "m 3"]


class SimulatedPlant:
    """Steps a `RobotModel` along the wall clock. `start` it, and `close` it at the end."""

    def __init__(
        self, robot: RobotModel, channel_ids: Sequence[int], units: Sequence[str] | None = None
    ) -> None:
        """Connect devices to the robot's channels.

        Args:
            robot: what moves.
            channel_ids: one per channel, see `Plant`.
            units: unit per channel; None: all rad.
        """
        self._robot = robot
        self._index = {channel_id: index for index, channel_id in enumerate(channel_ids)}
        self._goal = robot.position
        self._limp = np.ones(len(channel_ids), bool)  # devices wake up with their actuators off
        self._is_pressure = np.array(units or ["rad"] * len(channel_ids)) == "Pa"
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

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        """See `Plant`."""
        index = self._index[channel_id]
        with self._lock:
            self._limp[index] = goal is None
            if goal is not None:
                self._goal[index] = goal

    def position(self, channel_id: int) -> float:
        """See `Plant`."""
        with self._lock:
            return float(self._robot.position[self._index[channel_id]])

    def speed(self, channel_id: int) -> float:
        """See `Plant`."""
        with self._lock:
            return float(self._robot.velocity[self._index[channel_id]])

    def snapshot(self) -> Snapshot:
        """The state now: at most one physics step old while the plant runs."""
        with self._lock:
            if self._thread.is_alive():
                self._catch_up()
            return Snapshot(self._robot.configuration, self._robot.tips)

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
        # A limp joint has no goal of its own: its servo's gear only damps it. A chamber is vented.
        let_go = np.where(self._is_pressure, 0.0, self._robot.position)
        self._robot.set_goal(np.where(self._limp, let_go, self._goal))
        self._robot.step(int(behind_s / self._robot.timestep_s))
