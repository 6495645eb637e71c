"""Random command sequences through loop and gate, judged at the device by rules of its own.

The device below knows the robot's file, what was measured and which commands were offered; it uses
nothing of the gate's code. Every set-point that reaches it must be finite, within the channel's
range, no further from the last one than `max_rate` allows in the time that passed, on the way to a
command that is valid and younger than the watchdog, and none may come while the robot is not
driven. `NJF_FUZZ=1000000` runs ten thousand sequences of a hundred events each.
"""

import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from njf_control.control_loop import ControlLoop, RobotFaultError
from njf_control.drivers.base import NoAnswerError, RobotDriver, RobotState
from njf_control.robot import RobotConfig, load_robot
from njf_control.safety import SafetyGate
from njf_perception.errors import DeviceNotConnectedError, NjfError

EVENTS = 100
SHORT = 24_000  # events inside `make test`
RATE_HZ, TIMEOUT_S = 50.0, 0.1
MOST_PERIODS = 2.0  # of motion that a late cycle may make up for
ROBOTS = [
    load_robot(Path(__file__).parents[3] / f"config/robots/{name}.yaml")
    for name in ("finger", "poppy", "allegro", "pneumatic", "hsa")
]
NONSENSE = (math.nan, math.inf, -math.inf, 1e300, -1e300)


class JudgingDevice(RobotDriver):
    """A robot that follows its set-points with a lag and judges each of them."""

    def __init__(self, robot: RobotConfig, start: np.ndarray) -> None:
        self.lower = np.array([channel.lower for channel in robot.channels])
        self.upper = np.array([channel.upper for channel in robot.channels])
        self.rate = np.array([channel.max_rate for channel in robot.channels])
        self.slack = 1e-9 * (self.upper - self.lower)
        self.position = start.copy()
        self.trouble: NjfError | None = None
        self.alarm = self.powered = self.stopped = False
        self.busy = self.takes_what_it_refuses = False
        self.now_s = self.late_s = self.passed_s = 0.0  # passed_s: without steps of the clock
        self.sent = self.refused = 0
        self.anew(start)

    def anew(self, origin: np.ndarray | None = None) -> None:
        """A motion begins at the measured state, without a command."""
        self.origin = self.position if origin is None else origin
        self.origin_is_measured = origin is None
        self.target, self.heard_s = None, -math.inf

    def hear(self, target: np.ndarray, now_s: float) -> None:
        self.target, self.heard_s = np.clip(target, self.lower, self.upper), now_s

    @property
    def statistics(self):
        return {"requests": self.sent}

    def connect(self):
        self._fail()

    def activate(self):
        self.powered, self.passed_s = True, 0.0
        state = self.read()
        self.anew(state.position)
        return state

    def read(self):
        self._fail()
        alarms = ("joint overheated",) if self.alarm else ()
        stamp_s = self.now_s + self.late_s
        if np.isfinite(self.position).all():
            self.measured = self.position.copy()
        return RobotState(self.position.copy(), 0 * self.position, stamp_s, alarms=alarms)

    def send(self, setpoints):
        self._judge(setpoints)
        if self.busy:
            self._refuse(setpoints)
        self.origin, self.origin_is_measured, self.passed_s = setpoints.copy(), False, 0.0
        self.position = self.position + 0.5 * (setpoints - self.position)
        self.sent += 1
        return setpoints

    def _refuse(self, setpoints):
        """The device is too busy for it, or does it and its answer gets lost."""
        self.refused += 1
        if self.takes_what_it_refuses:
            self.position = self.position + 0.5 * (setpoints - self.position)
        raise NoAnswerError("busy")

    def deactivate(self):
        self.powered = False

    def close(self):
        self.powered = False

    def _fail(self):
        if self.trouble is not None:
            raise self.trouble

    def _judge(self, asked: np.ndarray) -> None:
        assert self.powered, "nothing may be sent to a robot that is not driven"
        assert np.isfinite(asked).all()
        origin = self.position if self.origin_is_measured else self.origin
        before = np.maximum(np.maximum(self.lower - origin, origin - self.upper), 0.0)
        outside = np.maximum(self.lower - asked, asked - self.upper)
        assert (outside <= before + self.slack).all(), f"out of range: {asked}"
        passed_s = min(self.passed_s, MOST_PERIODS / RATE_HZ)
        moved = np.abs(asked - origin)
        assert (moved <= self.rate * passed_s + self.slack).all(), f"too fast: {moved / self.rate}"
        age_s = self.now_s + self.late_s - self.heard_s
        if self.stopped or self.target is None or not 0.0 <= age_s <= TIMEOUT_S:
            assert (moved <= self.slack).all(), f"moved without a fresh command by {moved}"
            return
        low, high = np.minimum(origin, self.target), np.maximum(origin, self.target)
        assert (asked >= low - self.slack).all() and (asked <= high + self.slack).all()


class Sequence:
    """One random life of a robot; `seen` counts what happened in it."""

    def __init__(self, seed: int, seen: Counter[str]) -> None:
        self.source, self.seen = random.Random(seed), seen
        robot = ROBOTS[seed % len(ROBOTS)]
        self.names, self.step = robot.channel_names, robot.safety.max_first_step
        span = robot.upper - robot.lower
        start = robot.lower + span * np.array([self.source.random() for _ in self.names])
        if self.source.random() < 0.1:
            start[0] = robot.upper[0] + 0.9 * self.step
        self.device = JudgingDevice(robot, start)
        self.span = span
        self.device.now_s = self.now_s = 1000.0
        self.loop = ControlLoop(self.device, SafetyGate(robot, RATE_HZ, TIMEOUT_S), 1.0 / RATE_HZ)
        self.heard = ("", -math.inf)
        self.activate()

    def run(self) -> None:
        events = [self.command] * 8 + [self.cycle] * 10
        events += [self.estop, self.reset, self.reset, self.break_device, self.activate]
        events += [self.activate, self.deactivate]
        for _ in range(EVENTS):
            self.source.choice(events)()

    def activate(self) -> None:
        if not self.loop.active:
            try:
                self.loop.activate()
                self.seen["activated"] += 1
                self.heard = ("", -math.inf)
            except NjfError:
                self.seen["activation refused"] += 1

    def deactivate(self) -> None:
        if self.source.random() < 0.3:
            self.loop.make_safe()

    def estop(self) -> None:
        if self.source.random() < 0.5:
            self.loop.gate.estop("random")
            self.device.stopped = True
            self.device.anew()

    def reset(self) -> None:
        if self.loop.gate.reset().accepted:
            self.seen["reset"] += 1
            self.device.stopped = False
            self.device.anew()

    def break_device(self) -> None:
        kind = self.source.randrange(14)
        if kind == 0:
            self.device.trouble = DeviceNotConnectedError("unplugged")
        elif kind == 1:
            self.device.alarm = True
        elif kind == 2:
            self.device.position = self.device.position * math.nan
        elif kind <= 5:
            self.device.trouble = NoAnswerError("silent")
        elif kind <= 8:  # somebody pushes the robot
            self.device.position = self.device.position + 0.05 * self.step
        elif kind <= 10:
            self.device.busy = True
            self.device.takes_what_it_refuses = self.source.random() < 0.5

    def mend_device(self) -> None:
        self.device.trouble, self.device.alarm, self.device.busy = None, False, False
        if not np.isfinite(self.device.position).all():
            self.device.position = np.clip(0.0 * self.span, self.device.lower, self.device.upper)

    def command(self) -> None:
        names, values = list(self.names), self.values()
        if self.source.random() < 0.2:
            order = self.source.sample(range(len(names)), len(names))
            names, values = [names[i] for i in order], values[order]
        asked = values.tolist()
        kind = self.source.randrange(14)
        if kind == 0:
            asked[self.source.randrange(len(asked))] = self.source.choice(NONSENSE)
        elif kind == 1:
            names[0] = self.source.choice(["elbow", "", names[-1]])
        elif kind == 2:
            asked = asked[:-1] if self.source.random() < 0.5 else [*asked, 0.0]
        writer = "planner" if self.source.random() < 0.1 else "servo"
        verdict = self.loop.submit(names, asked, self.now_s, writer)
        self.seen["accepted" if verdict.accepted else "rejected"] += 1
        if verdict.accepted:
            is_first = self.device.target is None or writer != self.heard[0]
            self.must_be_acceptable(names, asked, writer)
            by_name = dict(zip(names, asked, strict=True))
            target = np.array([by_name[name] for name in self.names])
            if is_first:
                far = np.abs(target - self.device.measured).max()
                assert far <= self.step, f"a first command {far} away from the robot"
            self.device.hear(target, self.now_s)

    def must_be_acceptable(self, names: list[str], asked: list[float], writer: str) -> None:
        assert set(names) == set(self.names) and len(names) == len(asked) == len(self.names)
        assert all(map(math.isfinite, asked))
        assert not self.device.stopped and self.device.powered
        other, heard_s = self.heard
        silent_s = self.now_s - heard_s
        assert other == writer or not 0.0 <= silent_s <= TIMEOUT_S, "two writers at once"
        self.heard = (writer, self.now_s)

    def values(self) -> np.ndarray:
        near = self.device.position + self.step * (2.0 * self.noise() - 1.0)
        anywhere = self.device.lower + self.span * (3.0 * self.noise() - 1.0)
        return np.nan_to_num(near if self.source.random() < 0.7 else anywhere)

    def noise(self) -> np.ndarray:
        return np.array([self.source.random() for _ in self.names])

    def cycle(self) -> None:
        jump_s = 1.0 / RATE_HZ
        if self.source.random() < 0.2:
            jump_s = self.source.choice([0.0, 0.005, 0.05, 0.09, 0.3, 5.0, -0.5, -1e6])
        self.now_s += jump_s
        self.device.passed_s += max(jump_s, 0.0)
        self.device.now_s = math.nan if self.source.random() < 0.01 else self.now_s
        self.device.late_s = self.source.choice([0.0] * 9 + [0.15])
        before = self.loop.gate.totals.watchdog
        try:
            self.seen["cycles"] += self.loop.cycle(self.device.now_s) is not None
        except RobotFaultError:
            self.seen["faults"] += 1
        self.seen["watchdog"] += self.loop.gate.totals.watchdog - before
        self.seen["refused"], self.device.refused = self.seen["refused"] + self.device.refused, 0
        self.device.now_s, self.device.late_s = self.now_s, 0.0
        if self.source.random() < 0.3:
            self.mend_device()


@pytest.mark.fuzz
def test_no_sequence_of_commands_leaves_range_rate_or_the_watchdogs_time(fuzz):
    seen: Counter[str] = Counter()
    for seed in range(fuzz.count(SHORT) // EVENTS):
        try:
            Sequence(seed, seen).run()
        except AssertionError as error:
            raise AssertionError(f"sequence {seed}: {error}") from error
    wanted = ("cycles", "accepted", "rejected", "reset", "faults", "watchdog", "activated")
    for what in (*wanted, "refused"):
        assert seen[what] > 20, f"the sequences do not bite: {seen}"
