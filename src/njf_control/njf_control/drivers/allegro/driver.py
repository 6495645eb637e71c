"""A Wonik Allegro hand on a CAN bus.

The hand takes torques and reports positions, nothing more: the position control is here, in a
thread that answers each of the hand's own cycles (333 Hz, see `control.py` and `loop.py`). The
node's cycle only moves the set-points; between two of them they move evenly. Joints that are no
channel move slowly to where they are held, and stay there.

Joints are known by name. The hand has its thumb last on the wire (index, middle, ring, thumb) while
other software names it first; so `driver.joints` lists the joints in the order of the wire, and
nothing is ever sorted. A torque is a share of the duty cycle or a current, see `protocol.py`; it is
reported as health and never as an effort in Nm.

Safe state: zero torque, then SERVO_OFF, confirmed by the hand's own status. The hand **latches the
last torque and has no watchdog**. A bus that is lost is therefore opened anew until the hand could
be switched off or patience ends. Deactivation, `close`, an exception in the thread, the end of the
interpreter and every signal that the node handles lead to SERVO_OFF; a process that is killed
outright (SIGKILL, power loss of the computer) cannot send it, and the motors keep pushing.
"""

import atexit
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict

import numpy as np
from jaxtyping import Float

from njf_control.drivers.allegro import protocol
from njf_control.drivers.allegro.bus import CanBus
from njf_control.drivers.allegro.config import AllegroConfig
from njf_control.drivers.allegro.loop import Feedback, HandLoop
from njf_control.drivers.allegro.protocol import FINGERS, HandInfo, Message
from njf_control.drivers.base import NoAnswerError, RobotDriver, RobotState
from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError, DeviceNotConnectedError, NjfError

_ANSWER_S = 0.5
_ATTEMPTS = 5
_SWITCH_OFF_S = 2.5  # patience with a hand that must become limp
_RETRY_S = 0.2
_FIRST_CYCLE_S = 1.0


class AllegroDriver(RobotDriver):
    """Drives one hand. Positions in rad from each joint's `zero_rad`."""

    def __init__(self, robot: RobotConfig, bus: CanBus) -> None:
        """Take channels and joints of `robot`; nothing is opened yet.

        Raises:
            ConfigError: another kind of driver, or a channel that is not in rad.
        """
        if not isinstance(robot.driver, AllegroConfig):
            raise ConfigError(f"robot '{robot.name}' has driver.kind {robot.driver.kind}.")
        wrong = [channel.name for channel in robot.channels if channel.unit != "rad"]
        if wrong:
            raise ConfigError(f"channels {wrong} of an Allegro hand need unit: rad.")
        self._config = config = robot.driver
        self._model = protocol.MODELS[config.model]
        self._bus = bus
        self._names = robot.channel_names
        wire = [joint.name for joint in config.joints]
        self._wire = np.array([wire.index(name) for name in self._names])
        self._zero = np.array([joint.zero_rad for joint in config.joints])
        self._held = np.array([joint.hold_rad is not None for joint in config.joints])
        self._hold = np.array([joint.hold_rad or 0.0 for joint in config.joints]) + self._zero
        self._max_speed = np.full(protocol.JOINTS, config.hold_speed_rad_s)
        self._max_speed[self._wire] = robot.max_rate
        self._loop = HandLoop(bus, config, self._max_speed)
        self._read_s = 0.0  # stamp of what was read last

    @property
    def statistics(self) -> Mapping[str, int]:
        """Counts of the bus and of the loop, `requests` being the cycles that the hand reported."""
        counts = self._loop.statistics | asdict(self._bus.statistics)
        return {"requests": counts.pop("cycles")} | counts

    def connect(self) -> None:
        """Open the bus anew; switch the servos off, check the hand, have it report."""
        self.close()
        self._listen()
        atexit.register(self.close)
        try:
            self._check(self._ask_info(protocol.servo(False, self._device), lambda _: True))
            self._start_reports()
        except NjfError:
            self.close()
            raise

    def reopen(self) -> None:
        """Open the bus anew and listen; asks the hand for nothing."""
        self.close()
        self._listen()

    def activate(self) -> RobotState:
        """Zero torque, SERVO_ON, then hold the measured positions with a torque that ramps up."""
        state = self.read()
        self._refuse(self._alarms())
        try:
            self._bus.send(*protocol.torques(np.zeros(16, np.int64), self._device))
            self._ask_info(protocol.servo(True, self._device), lambda info: info.servo_on)
            self._refuse(self._alarms())
            feedback = self._await(self._is_fresh, _FIRST_CYCLE_S)
            self._loop.engage(feedback.position)
        except NjfError:
            with suppress(NjfError):
                self._loop.switch_off()
            raise
        return state

    def read(self) -> RobotState:
        """The newest cycle of reports; its stamp says how old it is where the computer is late."""
        feedback = self._await(
            lambda: self._is_unread() or self._is_fresh(), self._config.stale_timeout_s
        )
        self._read_s = feedback.stamp_s
        health = {
            self._model.torque_name: feedback.torque[self._wire] / self._model.torque_scale,
        }
        temperature = self._temperatures()
        if np.isfinite(temperature).any():
            health["temperature_c"] = temperature
        return RobotState(
            position=(feedback.position - self._zero)[self._wire],
            velocity=feedback.velocity[self._wire],
            stamp_s=feedback.stamp_s,
            health=health,
            alarms=self._alarms(),
        )

    def send(self, setpoints: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Aim at set-points [rad], to be reached one node cycle later; they are not rounded.

        A channel's `max_rate` is kept whatever the distance: the node may run at another rate than
        the robot's file says, or late, and then its set-points are further apart.
        """
        if not np.isfinite(setpoints).all():
            raise ValueError(f"set-points must be finite, got {setpoints.tolist()}")
        self._loop.feedback()  # nobody would follow the aim of a loop that has ended
        aim = self._hold.copy()
        aim[self._wire] = setpoints + self._zero[self._wire]
        self._loop.aim(aim, np.where(self._held, 0.0, 1.0 / self._config.rate_hz))
        return setpoints.copy()

    def deactivate(self) -> None:
        """Zero torque and SERVO_OFF, until the hand says that its servos are off.

        The attempts are spread over `_SWITCH_OFF_S`: a lost bus refuses all of them at once, but
        after BUS-OFF it is back within `restart-ms`, and the hand keeps its last torque till then.
        """
        cause = trouble = ""
        begin_s = time.monotonic()
        end_s = begin_s + _SWITCH_OFF_S
        while begin_s < end_s:
            cause = cause or self._loop.failure
            try:
                self._switch_off()
                return
            except NjfError as error:
                trouble = str(error)
            time.sleep(max(0.0, begin_s + _RETRY_S - time.monotonic()))
            begin_s = time.monotonic()
        raise DeviceNotConnectedError(
            f"the servos may still be ON, with the last torque: {cause or trouble} "
            "Cut the hand's power if it is not limp."
        )

    def close(self) -> None:
        """End the loop and release the bus; the hand's servos are off, its reports end.

        Also a hand that is still driven is switched off: its latched torque would have no end.
        """
        atexit.unregister(self.close)
        self._loop.stop()
        with suppress(NjfError):
            self._bus.send(protocol.servo(False, self._device), protocol.period(0, 0, self._device))
        self._bus.close()

    @property
    def _device(self) -> int:
        return self._config.device_id

    def _listen(self) -> None:
        """Open the bus, and have a new loop listen that goes on counting."""
        counts = self._loop.counts
        self._bus.open()
        self._loop = HandLoop(self._bus, self._config, self._max_speed)
        self._loop.counts = counts
        self._loop.start()

    def _switch_off(self) -> None:
        """Try once to switch the servos off; a loop that has ended hears no confirmation."""
        if self._loop.failure:
            self._loop.stop()
            self._bus.close()
            self._listen()
        self._loop.switch_off()
        self._ask_info(None, lambda info: not info.servo_on, 1, _RETRY_S)

    def _ask_info(
        self,
        first: protocol.Frame | None,
        accept: Callable[[HandInfo], bool],
        attempts: int = _ATTEMPTS,
        patience_s: float = _ANSWER_S,
    ) -> HandInfo:
        """Send `first` and ask for INFO until what the hand says of itself is accepted.

        Each of the `attempts` waits for `patience_s` [s].

        Raises:
            NoAnswerError: it says nothing, or never that.
        """
        for _ in range(attempts):
            self._loop.forget_info()
            self._bus.send(*filter(None, [first]), protocol.request(Message.INFO, self._device))
            if self._loop.wait(lambda: _is(self._loop.info, accept), patience_s):
                info = self._loop.info
                assert info is not None
                return info
        raise NoAnswerError(self._why_not(self._loop.info))

    def _why_not(self, info: HandInfo | None) -> str:
        port = self._bus.port
        if info is not None:
            return (
                f"the hand on {port} says that its servos are {'on' if info.servo_on else 'off'}, "
                "and does not switch them. Check its supply and its emergency stop."
            )
        others = sorted(self._loop.devices_seen)
        if others:
            return (
                f"no hand with device id {self._device} answers on {port}, but device ids {others} "
                "send there. Set driver.device_id."
            )
        return (
            f"no hand answers on {port}. Check its power, the cable and the termination. "
            f"{self._bus.describe_link()}".rstrip()
        )

    def _check(self, info: HandInfo) -> None:
        """Compare the hand with the configuration.

        Raises:
            ConfigError: it is another one.
        """
        major = self._model.hardware_major
        if major is not None and info.hardware[0] != major:
            raise ConfigError(
                f"the hand on {self._bus.port} has hardware version "
                f"{info.hardware[0]}.{info.hardware[1]}, expected {major}.x. Another generation "
                "has other torques: this driver does not drive it."
            )
        if info.is_left != (self._config.hand == "left"):
            side = "left" if info.is_left else "right"
            raise ConfigError(
                f"the hand on {self._bus.port} is a {side} one, driver.hand is "
                f"{self._config.hand}. Correct the robot's file."
            )

    def _start_reports(self) -> None:
        """Have the hand report, and wait for the first complete cycle.

        Raises:
            DeviceNotConnectedError: it does not come; the message names the silent fingers.
        """
        config = self._config
        frames = [protocol.period(config.period_ms, config.temperature_period_ms, self._device)]
        if not self._model.streams_limp:  # it must be on to report; at zero torque it is limp
            frames += protocol.torques(np.zeros(16, np.int64), self._device)
            frames.append(protocol.servo(True, self._device))
        self._bus.send(*frames, protocol.request(Message.SERIAL, self._device))
        if not self._loop.wait(lambda: self._loop.feedback() is not None, _FIRST_CYCLE_S):
            silent = sorted(set(range(FINGERS)) - self._loop.fingers_seen)
            raise NoAnswerError(
                f"the hand on {self._bus.port} answers, but fingers {silent} of the wire report no "
                "positions. Switch its power off and on."
            )

    def _await(self, is_new: Callable[[], bool], patience_s: float) -> Feedback:
        """The newest cycle of reports once it is new, within `patience_s` [s].

        Raises:
            NoAnswerError: none came.
        """
        if not self._loop.wait(is_new, patience_s):
            raise NoAnswerError(
                f"the hand on {self._bus.port} has reported no complete set of positions for "
                f"{self._age_s():.2f} s. Check its power, the cable and the termination, then "
                "activate again."
            )
        feedback = self._loop.feedback()
        assert feedback is not None
        return feedback

    def _is_fresh(self) -> bool:
        return self._age_s() <= self._config.stale_timeout_s

    def _is_unread(self) -> bool:
        feedback = self._loop.feedback()
        return feedback is not None and feedback.stamp_s != self._read_s

    def _age_s(self) -> float:
        feedback = self._loop.feedback()
        return math.inf if feedback is None else time.monotonic() - feedback.stamp_s

    def _temperatures(self) -> Float[np.ndarray, " n"]:
        """Per channel what its joint reports, else the hand's own temperature [degC]."""
        info = self._loop.info
        whole = np.nan if info is None else float(info.temperature_c)
        joints = self._loop.temperature_c[self._wire]
        return np.where(np.isfinite(joints), joints, whole)

    def _alarms(self) -> tuple[str, ...]:
        info = self._loop.info
        if info is None:
            return ()
        alarms = []
        if info.over_temperature:
            alarms.append(f"the hand is too hot ({info.temperature_c} degC): let it cool")
        if info.internal_fault:
            alarms.append("the hand reports an internal communication fault: power it off and on")
        if self._loop.engaged and not info.servo_on:
            alarms.append("the hand switched its servos off by itself: check its supply")
        return tuple(alarms)

    def _refuse(self, alarms: tuple[str, ...]) -> None:
        if alarms:
            raise DeviceNotConnectedError(f"the servos stay off: {'; '.join(alarms)}.")


def _is(info: HandInfo | None, accepted: Callable[[HandInfo], bool]) -> bool:
    return info is not None and accepted(info)
