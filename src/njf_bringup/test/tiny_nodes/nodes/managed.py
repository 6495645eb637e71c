"""A lifecycle node that writes every transition to the file its parameter names."""

from pathlib import Path
from typing import Any

from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare


class Managed(LifecycleNode):
    """Appends its own name and each transition to `journal`."""

    def __init__(self) -> None:
        super().__init__("managed")
        self._journal = Path(declare(self, "journal", "", "file of transitions"))
        self._refused = declare(self, "refuse", "", "transition that fails")

    def on_configure(self, state: Any) -> TransitionCallbackReturn:
        """Configure."""
        return self._note("configure")

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        """Activate."""
        return self._note("activate")

    def on_deactivate(self, state: Any) -> TransitionCallbackReturn:
        """Deactivate."""
        return self._note("deactivate")

    def _note(self, transition: str) -> TransitionCallbackReturn:
        if transition == self._refused:
            self.get_logger().error("the motor bus is on fire")
            return TransitionCallbackReturn.FAILURE
        with self._journal.open("a") as journal:
            journal.write(f"{self.get_name()} {transition}\n")
        return TransitionCallbackReturn.SUCCESS


if __name__ == "__main__":
    raise SystemExit(run(Managed))
