"""Ctrl-C and SIGTERM, heard between two steps instead of in the middle of one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class StopRequest:
    """Whether somebody asked the run to stop.

    Attributes:
        signal_name: the signal that asked; None: nobody did.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None

    def __bool__(self) -> bool:
        return self.signal_name is not None


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Listen to SIGINT and SIGTERM; the second one ends the process as it does elsewhere.

    Outside the main thread, which alone may listen, nothing is heard.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: object) -> None:
        request.signal_name = signal.Signals(number).name
        restore()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield request
    finally:
        restore()
