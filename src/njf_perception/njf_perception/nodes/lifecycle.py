"""A lifecycle node that neither dies of an impossible request nor hides its own errors."""

import traceback
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from njf_perception.errors import NjfError


class GuardedLifecycleNode(LifecycleNode):
    """Base of the project's lifecycle nodes; `on_<transition>` returns `self.attempt(...)`.

    Attributes:
        refusal: why the last transition failed, for the node's diagnostics; empty when it did not.
    """

    refusal = ""

    def _value(self, name: str) -> Any:
        """The present value of a parameter."""
        return self.get_parameter(name).value

    def attempt(self, action: Callable[[], None]) -> TransitionCallbackReturn:
        """Run a transition's work and log why it failed; rclpy would swallow the exception.

        An expected error (NjfError) leaves the node in its state, any other one in `on_error`.
        """
        self.refusal = ""
        try:
            action()
        except NjfError as error:
            self.refusal = str(error)
            self.get_logger().error(self.refusal)
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            self.refusal = f"{error!r}; the log has all of it"
            self.get_logger().fatal(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _LifecycleNodeMixin__on_change_state(  # noqa: N802  # rclpy's private name
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        """Refuse a transition that the state does not have.

        rclpy 7.1 lets the exception of one asked for by its id end the process (rclpy#1209).
        """
        handler = super()._LifecycleNodeMixin__on_change_state  # type: ignore[misc]
        try:
            return handler(request, response)
        except rclpy_implementation.RCLError as error:
            self.get_logger().error(f"transition refused: {error}")
            response.success = False
            return response
