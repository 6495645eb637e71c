"""A fake Allegro hand behind a CAN adapter on a pseudo-terminal.

A driver opens `port` with python-can. The hand hears servo on and off, torques, periods and remote
frames, and reports its positions by itself once it was given a period; its numbers are written here
once more, from the vendor's description and not from the driver. Like the real one it has no
watchdog: the last torque stays until the next one or until the servos are switched off.
"""

import fcntl
import math
import os
import select
import struct
import termios
import threading
import time
import tty
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from njf_control.drivers.allegro.config import AllegroConfig
from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError
from njf_sim.fakes.allegro_joints import HandJoints
from njf_sim.fakes.can_serial import ERROR, REMOTE, FrameParser, SerialFrame
from njf_sim.plant import Plant

_FINGER_POSE, _TEMPERATURE, _INFO, _SERIAL = 0x20, 0x38, 0x80, 0x88
_SERVO_ON, _SERVO_OFF, _SET_TORQUE, _SET_PERIOD = 0x40, 0x41, 0x60, 0x81
_BUS_OFF = 0x40
_COUNTS_PER_RAD = {"v4": 65536.0 / math.radians(333.3), "v5": 1.0 / math.radians(0.088)}
_FULL_TORQUE = {"v4": 1200.0, "v5": 240.0}
_HARDWARE_MAJOR = {"v4": 4, "v5": 5}
_PERIOD_S = 0.003
_MOST_AT_ONCE = 8  # periods that a late hand makes up for; more are lost
_PATIENCE_S = 0.25  # with a host that does not answer; after that the last torque acts on
_MOST_UNREAD = 200  # bytes: two cycles of reports. A host that is further behind answers the past
_SHORTEST_WAIT_S = 0.001
_NORMAL_C, _HOT_C = 41, 85
_READ_SIZE = 65_536


@dataclass
class HandFaults:
    """What is wrong with the hand. Tests and demonstrations set these while it runs."""

    silent: bool = False  # no positions any more; the rest works
    dead: bool = False  # neither hears nor says anything
    deaf: bool = False  # says, but obeys nothing
    half_cycle: bool = False  # the last two fingers say nothing
    wrong_length: bool = False  # frames of positions one byte too short
    other_device: bool = False  # another hand, device id 2, is on the bus as well
    over_temperature: bool = False
    bus_off: bool = False
    stuck: set[int] = field(default_factory=set)  # joints that something holds, by wire


class FakeAllegroHand:
    """The hand of one robot. `start` it, and `close` it at the end.

    Attributes:
        port: python-can's address of the adapter.
        faults: may be changed while the hand runs.
        servo_on: whether the motor drivers are on.
        torque: what is in effect, in the order of the wire [count].
        joints: how the joints stand.
    """

    def __init__(self, robot: RobotConfig, plant: Plant) -> None:
        """Move `plant`, which knows the robot's channels by their index; held joints it has not."""
        if not isinstance(robot.driver, AllegroConfig):
            raise ConfigError(f"robot '{robot.name}' has no Allegro hand.")
        self._config, self._plant = robot.driver, plant
        names = robot.channel_names
        joints = self._config.joints
        wire = {joint.name: index for index, joint in enumerate(joints)}
        self._channel = {wire[name]: channel for channel, name in enumerate(names)}
        self._zero = np.array([joint.zero_rad for joint in joints])
        hold = np.array([joint.hold_rad or 0.0 for joint in joints])
        self.joints = HandJoints(hold + self._zero)
        self.faults = HandFaults()
        self.servo_on = False
        self.torque = np.zeros(len(joints))
        self._period_s = self._temperature_s = 0.0
        self._ticks = 0  # of the hand's clock
        self._reported_s, self._answered, self._host_is_gone = 0.0, True, False
        self._parser = FrameParser()
        self._unsent = b""
        self._bus_off_told = False
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = f"serial:{os.ttyname(self._slave)}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake_allegro", daemon=True)
        self._follow_limp_plant()

    def start(self) -> None:
        """Give it power."""
        self._thread.start()

    def close(self) -> None:
        """Unplug the adapter; a connected driver sees that."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
        self._master = self._slave = -1

    def brown_out(self) -> None:
        """The supply broke down for a moment: servos off, no reports, no torque."""
        self.servo_on = False
        self._period_s = self._temperature_s = 0.0
        self.torque = np.zeros(len(self.torque))

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        last_s = time.monotonic()
        while not self._stop.is_set():
            wait_s = max(_SHORTEST_WAIT_S, last_s + _PERIOD_S - time.monotonic())
            if poll.poll(1e3 * wait_s):
                self._hear(os.read(self._master, _READ_SIZE))
            now_s = time.monotonic()
            periods = min(int((now_s - last_s) / _PERIOD_S), _MOST_AT_ONCE)
            if not periods or self._waits(now_s):
                continue
            for _ in range(periods):
                self._tick()
            self._reported_s, self._answered = now_s, False
            last_s = now_s if periods == _MOST_AT_ONCE else last_s + periods * _PERIOD_S

    def _waits(self, now_s: float) -> bool:
        """Whether time stands still for a host that a busy computer makes late, but not gone."""
        if not self.servo_on or (self._answered and self._unread() <= _MOST_UNREAD):
            return False
        self._host_is_gone |= now_s - self._reported_s > _PATIENCE_S
        return not self._host_is_gone

    def _unread(self) -> int:
        """Bytes of reports that the host has not taken off the line yet."""
        return struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4)))[0]

    def _tick(self) -> None:
        """One period of the hand's time: a slow computer slows the hand down, and that is all."""
        self._ticks += 1
        self._move(_PERIOD_S)
        self._say(self._reports())

    def _hear(self, data: bytes) -> None:
        for frame in self._parser.feed(data):
            if frame.identifier & 0b11 == self._config.device_id and not self._is_off:
                self._obey(frame)

    @property
    def _is_off(self) -> bool:
        return self.faults.dead or self.faults.bus_off

    def _obey(self, frame: SerialFrame) -> None:
        message = frame.identifier >> 2
        if frame.flags & REMOTE:
            self._say(self._answer(message))
        elif self.faults.deaf:
            return
        elif message in (_SERVO_ON, _SERVO_OFF) and not frame.data:
            self.servo_on = message == _SERVO_ON
        elif message & ~0b11 == _SET_TORQUE and len(frame.data) == 8:
            finger = message & 0b11
            self.torque[4 * finger : 4 * finger + 4] = struct.unpack("<4h", frame.data)
            self._answered, self._host_is_gone = True, False
        elif message == _SET_PERIOD and len(frame.data) == 6:
            position_ms, _, temperature_ms = struct.unpack("<3H", frame.data)
            self._period_s, self._temperature_s = 1e-3 * position_ms, 1e-3 * temperature_ms

    def _answer(self, message: int) -> Iterable[SerialFrame]:
        if message == _INFO:
            is_left = self._config.hand == "left"
            status = self.servo_on | self.faults.over_temperature << 1
            celsius = _HOT_C if self.faults.over_temperature else _NORMAL_C
            major = _HARDWARE_MAJOR[self._config.model]
            yield self._frame(message, bytes([1, major, 5, 2, is_left, celsius, status]))
        elif message == _SERIAL:
            yield self._frame(message, b"4F-00042")

    def _reports(self) -> Iterable[SerialFrame]:
        """What the hand says by itself now."""
        if self.faults.bus_off and not self._bus_off_told:
            yield SerialFrame(_BUS_OFF, bytes(8), ERROR)
        self._bus_off_told = self.faults.bus_off
        if self._is_off:
            return
        may_report = self.servo_on or self._config.model == "v4"
        if may_report and self._is_due(self._period_s):
            yield from self._poses()
        if self._is_due(self._temperature_s):
            for finger in range(4):
                warm = [_NORMAL_C + finger, _NORMAL_C + 1, _NORMAL_C + 2, _NORMAL_C + 3]
                yield self._frame(_TEMPERATURE + finger, bytes(warm))

    def _is_due(self, period_s: float) -> bool:
        return bool(period_s) and self._ticks % max(1, round(period_s / _PERIOD_S)) == 0

    def _poses(self) -> Iterable[SerialFrame]:
        if self.faults.silent:
            return
        counts = np.rint(self.joints.position * _COUNTS_PER_RAD[self._config.model]).astype(int)
        for finger in range(2 if self.faults.half_cycle else 4):
            data = struct.pack("<4h", *counts[4 * finger : 4 * finger + 4])
            yield self._frame(
                _FINGER_POSE + finger, data[:-1] if self.faults.wrong_length else data
            )
            if self.faults.other_device:
                yield SerialFrame((_FINGER_POSE + finger) << 2 | 2, struct.pack("<4h", 9, 9, 9, 9))

    def _frame(self, message: int, data: bytes) -> SerialFrame:
        return SerialFrame(message << 2 | self._config.device_id, data)

    def _say(self, frames: Iterable[SerialFrame]) -> None:
        if not self._unsent:  # else nobody reads: on a bus the frames would be lost as well
            self._unsent = b"".join(frame.encode() for frame in frames)
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self._master, self._unsent) :]
        except BlockingIOError:
            return  # the rest of a frame that was begun comes later

    def _move(self, elapsed_s: float) -> None:
        if not self.servo_on:
            self._follow_limp_plant()
            return
        self.joints.stuck[:] = [wire in self.faults.stuck for wire in range(len(self.torque))]
        self.joints.advance(self._duty(), elapsed_s)
        for wire, channel in self._channel.items():
            self._plant.set_goal(channel, float(self.joints.position[wire] - self._zero[wire]))

    def _duty(self) -> Float[np.ndarray, "16"]:
        return np.clip(self.torque / _FULL_TORQUE[self._config.model], -1.0, 1.0)

    def _follow_limp_plant(self) -> None:
        """Without power the joints stand where somebody puts them."""
        for wire, channel in self._channel.items():
            self._plant.set_goal(channel, None)
            self.joints.place(self._plant.position(channel) + self._zero[wire], wire)
