"""What the driver says about its loop on /diagnostics."""

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

_STATUS = "driver: loop"


class LoopWatch:
    """Keeps the newest word of one driver; /diagnostics is shared by everybody."""

    def __init__(self, node: Node) -> None:
        self._newest: Mapping[str, str] = {}
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    @property
    def values(self) -> Mapping[str, str]:
        """Everything in it by name, as text; empty before the first word."""
        return self._newest

    @property
    def counters(self) -> tuple[int, int]:
        """Cycles and missed deadlines since the driver was configured."""
        newest = self._newest
        return int(newest.get("cycles", 0)), int(newest.get("missed_deadlines", 0))

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name == _STATUS:
                self._newest = {pair.key: pair.value for pair in status.values}
