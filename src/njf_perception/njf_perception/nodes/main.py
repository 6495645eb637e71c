"""The one way a node process starts and ends."""

import sys
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node

from njf_perception.errors import NjfError


def run(make_node: Callable[[], Node], args: list[str] | None = None) -> int:
    """Spin one node until SIGINT, SIGTERM or an error, then close it. Returns the exit status.

    A node with hardware or threads releases them in `destroy_node`, which runs on every path out.
    """
    rclpy.init(args=args)
    node = None
    try:
        node = make_node()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except rclpy_implementation.RCLError:
        if rclpy.ok():
            raise
        return 0  # the signal came while a callback was publishing
    except NjfError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
