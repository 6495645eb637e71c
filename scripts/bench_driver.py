"""What driving costs: processor time of the driver node alone, and how regularly it cycles.

The fake device runs in a process of its own, and so does whoever commands; the driver node is the
one that `njf up` starts, ROS included. The Allegro's inner loop answers the hand's reports at
333 Hz, Poppy's six servos are read and written at 100 Hz. A shared computer's core is worth more in
one minute than in the next, so a yardstick says what it was worth then. Printed of the periods: the
median, the median p99 of a second, and the longest. Exit status 1 when a driver takes more than
`MOST_CPU` of one core. Run by `make bench`.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from njf_bringup.graph import ResolvedGraph
from njf_bringup.process_usage import process_usage
from njf_bringup.up import resolve_options, running, use_private_domain
from njf_control.robot import load_robot
from njf_sim.fakes.make import channel_ids, make_device

ROOT = Path(__file__).resolve().parent.parent
RATES_HZ = {"allegro": 50.0, "poppy": 100.0}  # of the node; the hand's own loop is at 333 Hz
SECONDS = 20
MOST_CPU = 0.25
SWING = 0.1  # of a set-point about the start [rad]


class StillPlant:
    """Joints that are where they were told to be."""

    def __init__(self, robot_file: str) -> None:
        robot = load_robot(robot_file)
        middle = (robot.lower + robot.upper) / 2
        self._position = dict(zip(channel_ids(robot), middle.tolist(), strict=True))

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        """See `njf_sim.plant.Plant`."""
        if goal is not None:
            self._position[channel_id] = goal

    def position(self, channel_id: int) -> float:
        """See `njf_sim.plant.Plant`."""
        return self._position[channel_id]

    def speed(self, channel_id: int) -> float:
        """See `njf_sim.plant.Plant`."""
        return 0.0


def serve(robot_file: str, link: str) -> None:
    """The fake device behind a symbolic link, until SIGTERM."""
    device = make_device(load_robot(robot_file), StillPlant(robot_file))
    device.start()
    os.symlink(device.port, link)
    signal.sigwait({signal.SIGTERM})
    device.close()


@contextmanager
def fake_device(robot_file: str, link: Path) -> Iterator[None]:
    """The same in a process of its own."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # inherited: it waits for it
    process = subprocess.Popen([sys.executable, __file__, robot_file, str(link)])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        while not os.path.lexists(link) and process.poll() is None:
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def yardstick_ms() -> float:
    """Processor time of a million additions in Python, here and now [ms]."""
    begin_s, total = time.process_time(), 0
    for number in range(1_000_000):
        total += number
    return 1e3 * (time.process_time() - begin_s)


def measure(graph: ResolvedGraph, rate_hz: float) -> float:
    """Drive for a while and print one line; the share of a core that the driver took."""
    from njf_bringup.nodes.driver_exercise import DriverExercise

    robot = graph.robot
    with running(graph) as supervisor, DriverExercise(robot, SWING) as exercise:
        pid, watch = supervisor.processes["driver"].popen.pid, exercise.watch
        exercise.go_on(3.0)  # until everybody knows everybody
        worth_ms = yardstick_ms()
        before, begin_s, words = process_usage(pid), time.monotonic(), []
        requests = -watch.requests
        while time.monotonic() - begin_s < SECONDS:
            exercise.go_on(1.0)
            supervisor.check()
            words.append(dict(watch.values))
        after, elapsed_s = process_usage(pid), time.monotonic() - begin_s
        requests += watch.requests
        worth_ms = (worth_ms + yardstick_ms()) / 2
    assert before is not None and after is not None, "the supervisor saw it alive"
    cpu = (after.cpu_s - before.cpu_s) / elapsed_s
    median, p99, longest = (
        np.array([float(word[f"period_{name}_ms"]) for word in words])
        for name in ("median", "p99", "max")
    )
    missed = int(words[-1]["missed_deadlines"]) - int(words[0]["missed_deadlines"])
    print(
        f"{robot.name:<10}{len(robot.channels):>9}{rate_hz:>8.0f}{requests / elapsed_s:>8.0f}"
        f"{100 * cpu:>10.1f} %"
        f"{np.median(median):>12.2f}{np.median(p99):>9.2f}{longest.max():>9.2f}{missed:>9}"
        f"{worth_ms:>11.0f} ms"
    )
    return cpu


def main() -> int:
    """Measure all; exit status 1 when one is too dear."""
    use_private_domain()
    head = f"{'robot':<10}{'channels':>9}{'Hz':>8}{'bus Hz':>8}{'of a core':>12}"
    print(f"{head}{'period ms':>12}{'p99':>9}{'max':>9}{'missed':>9}{'yardstick':>14}")
    shares = []
    for name, rate_hz in RATES_HZ.items():
        with tempfile.TemporaryDirectory() as folder:
            params = Path(folder) / "rate.yaml"
            params.write_text(f"/**/driver:\n  ros__parameters: {{rate_hz: {rate_hz}}}\n")
            graph = resolve_options(robot=name, run_dir=folder, params_file=params, task="none")
            graph = graph.only("driver")
            robot_file = str(ROOT / "config" / "robots" / f"{name}.yaml")
            with fake_device(robot_file, Path(folder) / "servo_port"):
                shares.append(measure(graph, rate_hz))
    worst = max(shares)
    verdict = "within" if worst <= MOST_CPU else "MORE THAN"
    print(f"{100 * worst:.1f} % of a core, {verdict} the allowed {100 * MOST_CPU:.0f} %")
    return 0 if worst <= MOST_CPU else 1


if __name__ == "__main__":
    if len(sys.argv) == 3:
        serve(*sys.argv[1:])
    else:
        raise SystemExit(main())
