"""The small interface behind which every kind of pressure regulator sits.

Pressures are **gauge** pressures [Pa]: 0 is ambient. No part of this project uses absolute pressure
(`sensor_msgs/FluidPressure` is absolute: the driver node adds the ambient pressure). Arrays
are in the robot's channel order.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from njf_control.drivers.base import Notice


@dataclass(frozen=True)
class PressureReading:
    """What the regulators measured in one read."""

    pressure_gauge_pa: Float[np.ndarray, " n"]
    stamp_s: float  # monotonic time [s]
    alarms: tuple[str, ...] = ()
    """What the device itself complains about while it regulates; empty when all is well."""


class PressureDevice(ABC):
    """Regulators of one robot, one output per channel.

    The order of calls is open, enable, (measure, apply)*, disable, close; `measure` is allowed
    whenever the device is open. Every method but `close` may raise `DeviceNotConnectedError`, or
    `NoAnswerError` where repeating may help.
    """

    @abstractmethod
    def open(self) -> None:
        """Reach the device, check that it is the configured one, set its own time-out."""

    @abstractmethod
    def measure(self) -> PressureReading:
        """Measure now."""

    @abstractmethod
    def enable(self, pressure_gauge_pa: Float[np.ndarray, " n"]) -> None:
        """Start to regulate with these first set-points; returns when every output does.

        Raises:
            NjfError: some output does not regulate in time; the message names its channels.
        """

    @abstractmethod
    def apply(self, pressure_gauge_pa: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Send set-points; return them as the device took them, quantised and limited."""

    @abstractmethod
    def disable(self) -> None:
        """Switch every output off, set-points at zero, and see that it is.

        Raises:
            NjfError: some output did not confirm; the message names its channels.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the device; changes nothing there, never raises."""

    @property
    @abstractmethod
    def statistics(self) -> Mapping[str, int]:
        """Counts of requests and errors since the device object was made."""

    @property
    @abstractmethod
    def notices(self) -> tuple[Notice, ...]:
        """What a person should know about the device, such as whether its time-out was set."""


def left_on(what: str) -> Notice:
    """What to tell when `what` regulates before anybody asked it to."""
    text = (
        f"{what} regulates already, from a program that was killed or before its cable was out: "
        "chambers may be under pressure. Activation takes them over as measured; deactivation then "
        "vents"
    )
    return Notice("regulation", text, is_warning=True, passes=True)
