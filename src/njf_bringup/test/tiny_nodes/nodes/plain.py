"""A node that touches its port, and can end by itself or ignore polite signals."""

import signal
from pathlib import Path

from rclpy.node import Node

from njf_perception.nodes.main import run


class Plain(Node):
    """Makes the file `port`; ends with status `exit_code` after `end_after_s` when that is > 0."""

    def __init__(self) -> None:
        super().__init__("plain")
        self._exit_code = self.declare_parameter("exit_code", 0).value
        if self.declare_parameter("deaf", False).value:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
        port = self.declare_parameter("port", "").value
        if port:
            Path(port).touch()
        end_after_s = self.declare_parameter("end_after_s", 0.0).value
        if end_after_s > 0:
            self.create_timer(end_after_s, self._end)

    def _end(self) -> None:
        print("tired now", flush=True)
        raise SystemExit(self._exit_code)


if __name__ == "__main__":
    raise SystemExit(run(Plain))
