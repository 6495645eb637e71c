"""The worker handles the newest item only, and survives what its handler raises."""

import threading

from njf_perception.latest import LatestWorker


def test_items_in_between_are_dropped():
    handled, gate, entered = [], threading.Event(), threading.Event()

    def handle(item: int) -> None:
        entered.set()
        gate.wait(10)
        handled.append(item)

    worker = LatestWorker(handle, on_error=handled.append, name="test")
    worker.submit(0)
    assert entered.wait(10)
    for item in (1, 2, 3):
        worker.submit(item)
    gate.set()
    while len(handled) < 2:
        threading.Event().wait(0.001)
    worker.stop()
    assert handled == [0, 3]
    assert worker.dropped == 2


def test_an_error_is_reported_and_the_next_item_handled():
    errors, done = [], threading.Event()

    def handle(item: int) -> None:
        if item == 0:
            raise ValueError("bad item")
        done.set()

    worker = LatestWorker(handle, on_error=errors.append, name="test")
    worker.submit(0)
    while not errors:
        threading.Event().wait(0.001)
    worker.submit(1)
    assert done.wait(10)
    worker.stop()
    assert [str(error) for error in errors] == ["bad item"]


def test_stop_is_idempotent_and_forgets_the_waiting_item():
    handled = []
    worker = LatestWorker(handled.append, on_error=handled.append, name="test")
    worker.stop()
    worker.stop()
    worker.submit(1)
    assert handled == []
