"""A node that touches its port, and can end by itself or ignore polite signals."""

import signal
from pathlib import Path

from rclpy.node import Node

from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare


class Plain(Node):
    """Makes the file `port`; ends with status `exit_code` after `end_after_s` when that is > 0."""

    def __init__(self) -> None:
        super().__init__("plain")
        self._exit_code = declare(self, "exit_code", 0, "status of a node that ends")
        if declare(self, "deaf", False, "ignore polite signals"):
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
        port = declare(self, "port", "", "file to make")
        if port:
            Path(port).touch()
        end_after_s = declare(self, "end_after_s", 0.0, "end by itself when > 0 [s]")
        if end_after_s > 0:
            self.create_timer(end_after_s, self._end)

    def _end(self) -> None:
        print("tired now", flush=True)
        raise SystemExit(self._exit_code)


if __name__ == "__main__":
    raise SystemExit(run(Plain))
