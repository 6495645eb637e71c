"""What the driver says about its loop and its bus on /diagnostics."""

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

_LOOP, _BUS = "driver: loop", "driver: bus"


class LoopWatch:
    """Keeps the newest word of one driver; /diagnostics is shared by everybody."""

    def __init__(self, node: Node) -> None:
        self._newest: dict[str, Mapping[str, str]] = {_LOOP: {}, _BUS: {}}
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    @property
    def values(self) -> Mapping[str, str]:
        """Everything about the loop by name, as text; empty before the first word."""
        return self._newest[_LOOP]

    @property
    def counters(self) -> tuple[int, int]:
        """Cycles and missed deadlines since the driver was configured."""
        return int(self.values.get("cycles", 0)), int(self.values.get("missed_deadlines", 0))

    @property
    def requests(self) -> int:
        """Requests to the device since the driver was configured; of a hand, its reports."""
        return int(self._newest[_BUS].get("requests", 0))

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name in self._newest:
                self._newest[status.name] = {pair.key: pair.value for pair in status.values}
