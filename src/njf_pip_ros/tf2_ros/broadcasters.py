"""Publishers of transforms."""

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile

from tf2_msgs.msg import TFMessage

Transforms = TransformStamped | list[TransformStamped]


class TransformBroadcaster:
    """Publishes changing transforms on /tf."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        """Publish through `node`; `qos` defaults to reliable, depth 100."""
        self.pub_tf = node.create_publisher(TFMessage, "/tf", 100 if qos is None else qos)

    def sendTransform(self, transform: Transforms) -> None:  # noqa: N802
        """Publish one transform or a list of them."""
        self.pub_tf.publish(TFMessage(transforms=_as_list(transform)))


class StaticTransformBroadcaster:
    """Publishes constant transforms on /tf_static, for late joiners too."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        """Publish through `node`; `qos` defaults to transient local, depth 1."""
        default = QoSProfile(
            depth=1,
            durability=DurabilityPolicy.TRANSIENT_LOCAL,
            history=HistoryPolicy.KEEP_LAST,
        )
        self.net_message = TFMessage()
        self.pub_tf = node.create_publisher(TFMessage, "/tf_static", qos or default)

    def sendTransform(self, transform: Transforms) -> None:  # noqa: N802
        """Publish one transform or a list of them, with all that were sent before."""
        latest = {sent.child_frame_id: sent for sent in self.net_message.transforms}
        latest.update({new.child_frame_id: new for new in _as_list(transform)})
        self.net_message.transforms = list(latest.values())
        self.pub_tf.publish(self.net_message)


def _as_list(transform: Transforms) -> list[TransformStamped]:
    return transform if isinstance(transform, list) else [transform]
