"""Subscriptions that fill a buffer."""

from threading import Thread

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile

from tf2_msgs.msg import TFMessage

from .buffer import Buffer

_CHANGING = QoSProfile(depth=100, history=HistoryPolicy.KEEP_LAST)
_STATIC = QoSProfile(
    depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL, history=HistoryPolicy.KEEP_LAST
)


class TransformListener:
    """Feeds /tf and /tf_static into a buffer while the node spins."""

    def __init__(
        self,
        buffer: Buffer,
        node: Node,
        *,
        spin_thread: bool = False,
        qos: QoSProfile | int | None = None,
        static_qos: QoSProfile | int | None = None,
    ) -> None:
        """Subscribe through `node`; with `spin_thread`, also spin it in a thread of its own."""
        self.buffer = buffer
        self.node = node
        # Reentrant: a callback that waits for a transform must not keep it from arriving.
        self.group = ReentrantCallbackGroup()
        self.tf_sub = node.create_subscription(
            TFMessage, "/tf", self.callback, qos or _CHANGING, callback_group=self.group
        )
        self.tf_static_sub = node.create_subscription(
            TFMessage,
            "/tf_static",
            self.static_callback,
            static_qos or _STATIC,
            callback_group=self.group,
        )
        if spin_thread:
            self.executor = SingleThreadedExecutor()
            self.dedicated_listener_thread = Thread(target=self._spin, daemon=True)
            self.dedicated_listener_thread.start()

    def unregister(self) -> None:
        """Stop listening."""
        if hasattr(self, "executor"):
            self.executor.shutdown()
            self.dedicated_listener_thread.join()
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)

    def callback(self, data: TFMessage) -> None:
        """Buffer changing transforms."""
        for transform in data.transforms:
            self.buffer.set_transform(transform, "default_authority")

    def static_callback(self, data: TFMessage) -> None:
        """Buffer constant transforms."""
        for transform in data.transforms:
            self.buffer.set_transform_static(transform, "default_authority")

    def _spin(self) -> None:
        self.executor.add_node(self.node)
        try:
            self.executor.spin()
        except ExternalShutdownException:
            return
