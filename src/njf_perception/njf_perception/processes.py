"""Processes that do not outlive the one that started them."""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

_PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None, use_errno=True)


def end_with_parent(number: int) -> None:
    """Let the kernel send this process a signal when the thread that started it ends. Linux only.

    Safe between fork and exec.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def worker_pool(
    workers: int, begin: Callable[..., object] | None = None, *arguments: Any
) -> ProcessPoolExecutor:
    """A pool of fresh interpreters that end when this process does, however it ends.

    Fresh, because forking copies the locks of OpenCV's and torch's threads. `begin` is called with
    `arguments` once in each of them. Make the pool in the main thread.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, _begin, (os.getpid(), begin, arguments))


def _begin(parent: int, begin: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
    end_with_parent(signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be told
        os._exit(1)
    if begin is not None:
        begin(*arguments)
