"""One diagnostic status per node, once a second."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node


@dataclass(frozen=True)
class Health:
    """How a node is: one sentence, an error or not, and figures with their unit in the key."""

    message: str = "ok"
    error: bool = False
    warning: bool = False
    values: Mapping[str, float | int | str] = field(default_factory=dict)

    @property
    def level(self) -> bytes:
        """Level of `DiagnosticStatus`."""
        if self.error:
            return DiagnosticStatus.ERROR
        return DiagnosticStatus.WARN if self.warning else DiagnosticStatus.OK


class DiagnosticsPublisher:
    """Publishes what `report` says on /diagnostics at 1 Hz for as long as the node lives."""

    def __init__(self, node: Node, hardware_id: str, report: Callable[[], Health]) -> None:
        self._node = node
        self._hardware_id = hardware_id
        self._report = report
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_timer(1.0, self.publish)

    def publish(self) -> None:
        """Publish now."""
        health = self._report()
        values = [KeyValue(key=key, value=_text(value)) for key, value in health.values.items()]
        status = DiagnosticStatus(
            level=health.level,
            name=self._node.get_fully_qualified_name(),
            message=health.message,
            hardware_id=self._hardware_id,
            values=values,
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


def _text(value: float | int | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class Figures:
    """Counts events and averages a duration over the time since the last reading."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._durations_s: list[float] = []
        self.total = 0

    def add(self, duration_s: float) -> None:
        """Note one event that took `duration_s`."""
        self._durations_s.append(duration_s)
        self.total += 1

    def read(self) -> tuple[float, float]:
        """Rate [Hz] and median duration [s] since the last call; NaN without events."""
        now = time.monotonic()
        durations, self._durations_s = self._durations_s, []
        durations.sort()
        rate = len(durations) / max(now - self._begin, 1e-9)
        self._begin = now
        return rate, durations[len(durations) // 2] if durations else float("nan")
