"""A thread that spins a node, and an end to it that leaves nothing behind."""

import threading

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

_WAIT_S = 0.1  # so long the end may take, beyond the work in progress [s]


class SpinThread:
    """Spins `node` in the background until `close`, in one thread as a process of its own would.

    A MultiThreadedExecutor is no substitute: while one callback of a group runs, it passes over the
    others, so on a busy computer the first timers are served again and again and the rest starve.

    `Executor.shutdown` takes the guard conditions away under a thread that still spins, which then
    dies of an AttributeError in the middle of its work: so the thread ends first.
    """

    def __init__(self, node: Node, name: str = "spin") -> None:
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._spin, name=name)
        self._thread.start()

    def close(self) -> None:
        """End the thread, then the executor. The node may be destroyed after that."""
        self._ending.set()
        self._executor.wake()
        self._thread.join()
        self._executor.shutdown()

    def _spin(self) -> None:
        try:
            while not self._ending.is_set():
                self._executor.spin_once(timeout_sec=_WAIT_S)
        except ExternalShutdownException:
            return
