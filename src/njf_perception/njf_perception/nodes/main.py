"""The one way a node process starts and ends."""

import gc
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from njf_perception.errors import NjfError

_LONGEST_FAREWELL_S = 2.0


def run(make_node: Callable[[], Node], args: list[str] | None = None, outlives: str = "") -> int:
    """Spin one node until SIGINT, SIGTERM or an error, then close it. Returns the exit status.

    A node with hardware or threads releases them in `destroy_node`, which runs on every path out.

    Ctrl-C reaches all nodes of a launch at once. With `outlives`, the name of a topic, SIGINT ends
    this one only when nobody publishes there any more, or after 2 s. Such a node needs a timer: a
    wait without end does not hear of SIGINT then.
    """
    # SIGINT stays Python's where the node has to go on: rclpy would end its context at once.
    handled = SignalHandlerOptions.SIGTERM if outlives else SignalHandlerOptions.ALL
    rclpy.init(args=args, signal_handler_options=handled)
    if outlives:  # Python leaves a SIGINT alone that was ignored at its start, as behind `&`
        signal.signal(signal.SIGINT, signal.default_int_handler)
    node, executor = None, SingleThreadedExecutor()
    try:
        node = make_node()
        _set_imports_aside()
        executor.add_node(node)
        executor.spin()
    except ExternalShutdownException:
        return 0
    except KeyboardInterrupt:
        if outlives and node is not None:
            _go_on(node, executor, outlives)
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


def _set_imports_aside() -> None:
    """Let the garbage collector look at what a node makes, not at all that it imported.

    With hundreds of thousands of imported objects, Python looks for cycles once in many minutes: so
    long dead goals hold their images, and then the loop stands still for as long as it looks.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # resets what Python believes to be long-lived


def _go_on(node: Node, executor: SingleThreadedExecutor, topic: str) -> None:
    """Spin while somebody publishes the topic, at most 2 s; a second Ctrl-C ends it."""
    deadline_s = time.monotonic() + _LONGEST_FAREWELL_S
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        while node.count_publishers(topic) > 0 and time.monotonic() < deadline_s:
            executor.spin_once(timeout_sec=0.05)
