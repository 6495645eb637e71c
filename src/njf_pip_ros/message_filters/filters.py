"""Sources of messages that filters connect to."""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node


class SimpleFilter:
    """Hands messages on to registered callbacks."""

    def __init__(self) -> None:
        """Start without callbacks."""
        self.callbacks: dict[int, tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def registerCallback(self, cb: Callable[..., Any], *args: Any) -> int:  # noqa: N802
        """Call `cb(*messages, *args)` at every output. Returns the number of the connection."""
        connection = len(self.callbacks)
        self.callbacks[connection] = (cb, args)
        return connection

    def signalMessage(self, *msg: Any) -> None:  # noqa: N802
        """Hand one output to every callback."""
        for callback, args in self.callbacks.values():
            callback(*(msg + args))


class Subscriber(SimpleFilter):
    """A subscription as the source of a filter."""

    def __init__(self, node: Node, msg_type: Any, topic: str, **kwargs: Any) -> None:
        """Subscribe; `kwargs` go to `create_subscription` (qos_profile defaults to 10)."""
        super().__init__()
        self.node = node
        self.topic = topic
        kwargs.setdefault("qos_profile", 10)
        self.sub = node.create_subscription(msg_type, topic, self.callback, **kwargs)

    def callback(self, msg: Any) -> None:
        """Receive one message from the subscription."""
        self.signalMessage(msg)

    def getTopic(self) -> str:  # noqa: N802
        """Topic as it was asked for."""
        return self.topic
