"""An action client that may be used from another thread than the one that spins its node."""

import threading
from typing import Any

from rclpy.action import ActionClient
from rclpy.task import Future


class ThreadSafeActionClient(ActionClient):
    """rclpy's action client, of which no answer gets lost.

    rclpy 7.1 sends a request first and notes its number afterwards. An answer that the spinning
    thread takes in between is "unexpected" and thrown away, and who asked waits for ever. Here the
    spinning thread looks at answers only when no request is on its way.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """As `rclpy.action.ActionClient`."""
        self._asking = threading.RLock()
        super().__init__(*args, **options)

    def send_goal_async(self, *args: Any, **options: Any) -> Future:
        """As rclpy's, from any thread."""
        with self._asking:
            return super().send_goal_async(*args, **options)

    def _cancel_goal_async(self, *args: Any) -> Future:
        with self._asking:
            return super()._cancel_goal_async(*args)

    def _get_result_async(self, *args: Any) -> Future:
        with self._asking:
            return super()._get_result_async(*args)

    async def execute(self, taken_data: dict[str, Any]) -> None:
        """As rclpy's, while nobody asks."""
        with self._asking:
            await super().execute(taken_data)
