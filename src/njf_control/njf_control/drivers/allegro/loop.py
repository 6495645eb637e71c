"""The hand's own loop: a thread that answers every cycle of reported positions with torques.

The hand reports its four fingers every few milliseconds, and that is the clock: once all four of a
cycle came, torques are computed and sent. What waited in the adapter while the computer was busy
is passed over, only the newest cycle is answered; but a computer that is always late answers every
fifth. The caller's thread moves the aim, switches on
and off, and reads what was measured.

When the reports stop for `stale_timeout_s`, the torques go to zero; when they come back, the torque
ramps up again. However the thread ends, it ends with zero torque and SERVO_OFF.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

from njf_control.drivers.allegro import protocol
from njf_control.drivers.allegro.bus import CanBus
from njf_control.drivers.allegro.config import AllegroConfig
from njf_control.drivers.allegro.control import PositionControl, VelocityFilter
from njf_control.drivers.allegro.protocol import (
    FINGERS,
    JOINTS,
    JOINTS_PER_FINGER,
    FingerPose,
    FingerTemperature,
    Frame,
    HandInfo,
    MalformedFrameError,
    Message,
    SerialNumber,
)
from njf_perception.errors import DeviceNotConnectedError, NjfError

_INFO_PERIOD_S = 1.0
_TICK_S = 0.02  # longest wait for a frame
_MOST_PASSED_OVER = 5  # cycles
_NO_TORQUE = np.zeros(JOINTS, dtype=np.int64)


@dataclass(frozen=True)
class Feedback:
    """One cycle of reports, in the order of the wire.

    Attributes:
        position: [rad].
        velocity: low-passed [rad/s].
        torque: what was answered to the cycle before [count].
        stamp_s: monotonic time of its last frame [s].
    """

    position: Float[np.ndarray, "16"]
    velocity: Float[np.ndarray, "16"]
    torque: Float[np.ndarray, "16"]
    stamp_s: float


@dataclass
class LoopStatistics:
    """Counts since the loop was made."""

    cycles: int = 0
    incomplete_cycles: int = 0  # a finger was missing
    malformed_frames: int = 0  # a known identifier with a wrong length
    foreign_frames: int = 0  # of another device id
    missed_info: int = 0  # questions for the hand's state without an answer
    stale_feedback: int = 0  # times the torque went to zero because the reports stopped


class HandLoop:
    """Owns what comes from the bus. `start` it once the bus is open, and `stop` it before."""

    def __init__(
        self, bus: CanBus, config: AllegroConfig, max_speed: Float[np.ndarray, "16"]
    ) -> None:
        """Listen to `bus` once started; `max_speed` as in `PositionControl`."""
        self.counts = LoopStatistics()
        self.temperature_c = np.full(JOINTS, np.nan)
        self.info: HandInfo | None = None
        self.serial: SerialNumber | None = None
        self.fingers_seen: set[int] = set()
        self.devices_seen: set[int] = set()
        self._bus, self._config = bus, config
        self._model = protocol.MODELS[config.model]
        self._control = PositionControl(config, max_speed)
        self._filter = VelocityFilter(config.velocity_filter_hz, 1e-3 * config.period_ms)
        self._feedback: Feedback | None = None
        self._failure: Exception | None = None
        self._engaged = self._stale = self._info_awaited = False
        self._torque = _NO_TORQUE
        self._counts = np.zeros((FINGERS, JOINTS_PER_FINGER))
        self._came: set[int] = set()  # fingers of the cycle that is under way
        self._unanswered = 0  # cycles since the last torques
        self._cycle_s = self._answered_s = self._asked_s = time.monotonic()
        self._changed = threading.Condition(threading.RLock())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="allegro", daemon=True)

    @property
    def statistics(self) -> dict[str, int]:
        """See `LoopStatistics`."""
        return asdict(self.counts)

    @property
    def engaged(self) -> bool:
        """Whether torques are sent."""
        return self._engaged

    @property
    def failure(self) -> str:
        """Why the loop has ended by itself; empty when it has not."""
        return "" if self._failure is None else str(self._failure)

    def start(self) -> None:
        """Listen from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, which switches off what is still on. Never raises."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def feedback(self) -> Feedback | None:
        """The newest complete cycle; None before the first one.

        Raises:
            DeviceNotConnectedError: the loop has ended.
        """
        with self._changed:
            if self._failure is not None:
                raise DeviceNotConnectedError(str(self._failure))
            return self._feedback

    def wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something the hand reports makes `condition` true; whether it did.

        Raises:
            DeviceNotConnectedError: the loop has ended.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or condition(), timeout_s)
            self.feedback()
            return condition()

    def forget_info(self) -> None:
        """Forget what the hand said about itself, so that the next answer is a fresh one."""
        with self._changed:
            self.info = None

    def engage(self, position: Float[np.ndarray, "16"]) -> None:
        """Hold `position` [rad] from the next cycle on; the servos are on already."""
        with self._changed:
            self._control.start(position)
            self._unanswered, self._answered_s = 0, time.monotonic()
            self._stale = self._info_awaited = False
            self._engaged = True

    def aim(self, position: Float[np.ndarray, "16"], duration_s: Float[np.ndarray, "16"]) -> None:
        """Move the set-points, see `PositionControl.aim`."""
        with self._changed:
            self._control.aim(position, duration_s)

    def switch_off(self) -> None:
        """Zero torque, then SERVO_OFF; no torque follows.

        Raises:
            DeviceNotConnectedError: it could not be sent.
        """
        with self._changed:
            self._engaged = False
            self._send_torques(_NO_TORQUE, protocol.servo(False, self._config.device_id))

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._take(self._bus.receive(_TICK_S))
        except Exception as error:  # whatever it is, the hand must not keep its last torque
            with self._changed:
                self._failure = error if isinstance(error, NjfError) else _unexpected(error)
        finally:
            with suppress(NjfError):
                if self._engaged:
                    self.switch_off()
            with self._changed:
                self._changed.notify_all()

    def _take(self, frame: Frame | None) -> None:
        now_s = time.monotonic()
        with self._changed:
            if frame is not None:
                self._interpret(frame, now_s)
            if self._engaged and not self._stale:
                self._check_age(now_s)
            if self._engaged and now_s - self._asked_s >= _INFO_PERIOD_S:
                self._ask_info(now_s)

    def _ask_info(self, now_s: float) -> None:
        self.counts.missed_info += self._info_awaited
        self._asked_s, self._info_awaited = now_s, True
        self._bus.send(protocol.request(Message.INFO, self._config.device_id))

    def _interpret(self, frame: Frame, now_s: float) -> None:
        if frame.is_bus_off:
            raise DeviceNotConnectedError(
                f"{self._bus.port} went off the bus (BUS-OFF) after too many errors. "
                f"{self._bus.describe_link() or 'Check cable, termination and bitrate.'}"
            )
        try:
            report = protocol.decode(frame, self._config.device_id)
        except MalformedFrameError:
            self.counts.malformed_frames += 1
            return
        if isinstance(report, FingerPose):
            self._take_pose(report, now_s)
        elif report is not None:
            self._take_rest(report)
        elif not frame.error and protocol.device_of(frame) != self._config.device_id:
            self.counts.foreign_frames += 1
            self.devices_seen.add(protocol.device_of(frame))

    def _take_rest(self, report: HandInfo | SerialNumber | FingerTemperature) -> None:
        if isinstance(report, HandInfo):
            self.info, self._info_awaited = report, False
        elif isinstance(report, SerialNumber):
            self.serial = report
        else:
            row = slice(report.finger * JOINTS_PER_FINGER, (report.finger + 1) * JOINTS_PER_FINGER)
            self.temperature_c[row] = report.celsius
        self._changed.notify_all()

    def _take_pose(self, pose: FingerPose, now_s: float) -> None:
        if pose.finger in self._came:  # a new cycle has begun before the last one was complete
            self.counts.incomplete_cycles += 1
            self._came = set()
        self._came.add(pose.finger)
        self.fingers_seen.add(pose.finger)
        self._counts[pose.finger] = pose.counts
        if len(self._came) == FINGERS:
            self._came = set()
            self._end_cycle(now_s)

    def _end_cycle(self, now_s: float) -> None:
        position = protocol.to_radians(self._counts.reshape(JOINTS), self._model)
        silence_s, self._cycle_s = now_s - self._cycle_s, now_s
        velocity = self._filter(position, silence_s)
        self.counts.cycles += 1
        self._unanswered += 1
        if self._stale:
            self._stale = False
            self._control.soften(silence_s)
        late = self._bus.has_more and self._unanswered < _MOST_PASSED_OVER
        if self._engaged and not late:
            elapsed_s = min(now_s - self._answered_s, self._config.stale_timeout_s)
            reported_s = 1e-3 * self._config.period_ms * self._unanswered
            self._send_torques(self._control.step(position, velocity, elapsed_s, reported_s))
            self._unanswered, self._answered_s = 0, now_s
        self._feedback = Feedback(position, velocity, self._torque.astype(float), now_s)
        self._changed.notify_all()

    def _check_age(self, now_s: float) -> None:
        if now_s - self._cycle_s > self._config.stale_timeout_s:
            self._stale = True
            self.counts.stale_feedback += 1
            self._send_torques(_NO_TORQUE)

    def _send_torques(self, counts: np.ndarray, *after: Frame) -> None:
        self._torque = counts
        self._bus.send(*protocol.torques(counts, self._config.device_id), *after)


def _unexpected(error: Exception) -> DeviceNotConnectedError:
    return DeviceNotConnectedError(
        f"the hand's control loop ended by {error!r}. That is a mistake in this driver, please "
        "report it; activate again to go on."
    )
