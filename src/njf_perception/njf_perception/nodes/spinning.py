"""A thread that spins an executor, and an end to it that leaves nothing behind."""

import threading

from rclpy.executors import Executor, ExternalShutdownException

_WAIT_S = 0.1  # so long the end may take, beyond the work in progress [s]


class SpinThread:
    """Spins `executor` in the background until `close`.

    `Executor.shutdown` takes the guard conditions away under a thread that still spins, which then
    dies of an AttributeError in the middle of its work.
    """

    def __init__(self, executor: Executor, name: str = "spin") -> None:
        self._executor = executor
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._spin, name=name)
        self._thread.start()

    def close(self) -> None:
        """End the thread, then the executor. The nodes may be destroyed after that."""
        self._ending.set()
        self._executor.wake()
        self._thread.join()
        # rclpy 7.1 means to wait for callbacks that still run in a MultiThreadedExecutor's pool,
        # but does not.
        pool = getattr(self._executor, "_executor", None)
        if pool is not None:
            pool.shutdown()
        self._executor.shutdown()

    def _spin(self) -> None:
        try:
            while not self._ending.is_set():
                self._executor.spin_once(timeout_sec=_WAIT_S)
        except ExternalShutdownException:
            return
