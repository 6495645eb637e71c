"""The one interface behind which every robot's hardware sits."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
from jaxtyping import Float

from njf_perception.errors import DeviceNotConnectedError

_HOT_C = 60.0  # small servos switch themselves off at 65 to 80 degrees Celsius


class NoAnswerError(DeviceNotConnectedError):
    """Something did not answer in time on a link that itself works; it may answer again."""


@dataclass(frozen=True)
class RobotState:
    """What the hardware measured in one read; arrays are in the robot's channel order."""

    position: Float[np.ndarray, " n"]  # [channel unit]
    velocity: Float[np.ndarray, " n"]  # [channel unit / s]
    stamp_s: float  # monotonic time of the read [s]
    health: Mapping[str, Float[np.ndarray, " n"]] = field(default_factory=dict)
    """Further measurements per channel, named with their unit, such as `temperature_c`."""
    alarms: tuple[str, ...] = ()
    """What the hardware itself complains about, in words; empty when all is well."""


@dataclass(frozen=True)
class Notice:
    """One fact about the hardware that a person should know though nothing has failed."""

    name: str  # what it is about, such as `communication time-out`
    text: str
    is_warning: bool = False
    passes: bool = False  # true only until the robot is driven, or was made safe


class RobotDriver(ABC):
    """Moves one robot's channels. A context manager: leaving it reaches the safe state.

    The order of calls is connect, activate, (read, send)*, deactivate, close. A driver trusts its
    caller in nothing but finiteness: the safety gate in front of it owns range and rate.
    """

    @abstractmethod
    def connect(self) -> None:
        """Open the device and check that it is the configured robot; moves nothing.

        May be called again at any time while the actuators are off, as after a fault.

        Raises:
            DeviceNotConnectedError: the device or a motor does not answer.
            ConfigError: something else than the configured robot answers.
        """

    def reopen(self) -> None:
        """Open the link anew for `deactivate`, with no more checks than that needs.

        A robot that is not all there any more, or stands where it should not, has to let go, too.

        Raises:
            NjfError: the link cannot be opened.
        """
        self.connect()

    @abstractmethod
    def activate(self) -> RobotState:
        """Switch the actuators on, holding the measured state, and return that state.

        Raises:
            NjfError: it could not be done; the actuators are off again.
        """

    @abstractmethod
    def read(self) -> RobotState:
        """Measure now.

        Raises:
            NoAnswerError: no complete answer this time.
            DeviceNotConnectedError: the device is gone.
        """

    @abstractmethod
    def send(self, setpoints: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Send set-points [channel unit]; return them as the device took them, quantised.

        Raises:
            ValueError: a set-point is not finite; nothing was sent.
            DeviceNotConnectedError: the device is gone.
        """

    @abstractmethod
    def deactivate(self) -> None:
        """Reach the device's safe state: try every actuator, then report what failed.

        Raises:
            NjfError: some actuator could not be told or did not confirm.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the device. Does not change what the actuators do; never raises."""

    @property
    @abstractmethod
    def statistics(self) -> Mapping[str, int]:
        """Counts since the driver was made: of `requests`, `cycles`, `frames`, and of errors."""

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What became of the device's own safety, and the like; known once it is connected."""
        return ()

    @property
    def health_limits(self) -> Mapping[str, tuple[float, float]]:
        """Least and greatest healthy value of keys of `RobotState.health`; outside is a warning."""
        return {"temperature_c": (-math.inf, _HOT_C)}

    def __enter__(self) -> "RobotDriver":
        """Connect."""
        self.connect()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Reach the safe state and close, also after an exception."""
        try:
            self.deactivate()
        finally:
            self.close()
