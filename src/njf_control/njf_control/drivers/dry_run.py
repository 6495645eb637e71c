"""A driver that measures the real robot but never moves it."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from njf_control.drivers.base import Notice, RobotDriver, RobotState


class DryRunDriver(RobotDriver):
    """Wraps a driver: connects and reads for real, leaves the actuators as they are."""

    def __init__(self, inner: RobotDriver) -> None:
        """Wrap `inner`; of its methods only connect, read and close are ever called."""
        self._inner = inner

    @property
    def statistics(self) -> Mapping[str, int]:
        """Counts of the wrapped driver."""
        return self._inner.statistics

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What the wrapped driver has to say."""
        return self._inner.notices

    @property
    def health_limits(self) -> Mapping[str, tuple[float, float]]:
        """Limits of the wrapped driver."""
        return self._inner.health_limits

    def connect(self) -> None:
        """Open and check the real device."""
        self._inner.connect()

    def activate(self) -> RobotState:
        """Measure; the actuators stay as they are."""
        return self._inner.read()

    def read(self) -> RobotState:
        """Measure the real device."""
        return self._inner.read()

    def send(self, setpoints: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Send nothing; return the set-points that would have been sent."""
        return setpoints.copy()

    def deactivate(self) -> None:
        """Leave the actuators as they are."""

    def close(self) -> None:
        """Release the real device."""
        self._inner.close()
