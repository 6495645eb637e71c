"""Frames of the Allegro hand, and nothing else: bytes to values and back, no state, no bus.

From the vendor's CAN description (Wonik, CAN_Protocol_v4.0) and the constants of its ROS 1 driver
(candef.h, AllegroHandDrv.cpp). CAN 2.0A at 1 Mbit/s, 11-bit identifiers:

    identifier = message << 2 | device id      payload little-endian

Older descriptions have other numbers for torque (0x050) and configuration (0x058). The message
SET_POSE (0xE0) exists on paper only: position control is the host's task.

Torque is a share of the duty cycle (v4: 1200 is all of it) or a current (v5: mA), never Nm.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int

from njf_perception.errors import NjfError

BITRATE = 1_000_000
FINGERS, JOINTS_PER_FINGER = 4, 4
JOINTS = FINGERS * JOINTS_PER_FINGER
_BUS_OFF = 0x40  # class of an error frame, linux/can/error.h


class Message(IntEnum):
    """Message numbers; of those with a finger the first one."""

    FINGER_POSE = 0x20
    TEMPERATURE = 0x38
    SERVO_ON = 0x40
    SERVO_OFF = 0x41
    SET_TORQUE = 0x60
    INFO = 0x80
    SET_PERIOD = 0x81
    SERIAL = 0x88


class MalformedFrameError(NjfError):
    """A frame has the identifier of a known message and not its length."""


@dataclass(frozen=True)
class HandModel:
    """How one generation of the hand differs.

    Attributes:
        rad_per_count: of a reported position [rad].
        full_torque: largest torque [count].
        torque_name: what the torque is measured as, with its unit, and `torque_scale` counts of it.
        hardware_major: what INFO has as hardware version; None: not known, not checked.
        streams_limp: reports positions also while its servos are off.
    """

    rad_per_count: float
    full_torque: int
    torque_name: str
    torque_scale: float
    hardware_major: int | None
    streams_limp: bool


MODELS = {
    "v4": HandModel(math.radians(333.3 / 65536.0), 1200, "duty", 1200.0, 4, True),
    "v5": HandModel(math.radians(0.088), 240, "current_ma", 1.0, None, False),
}


@dataclass(frozen=True)
class Frame:
    """One CAN frame with an 11-bit identifier, or an error that the adapter reports as one."""

    identifier: int
    data: bytes = b""
    remote: bool = False
    error: bool = False

    @property
    def is_bus_off(self) -> bool:
        """The adapter left the bus after too many errors."""
        return self.error and bool(self.identifier & _BUS_OFF)


@dataclass(frozen=True)
class FingerPose:
    """Positions of one finger's joints [count]."""

    finger: int
    counts: tuple[int, int, int, int]


@dataclass(frozen=True)
class FingerTemperature:
    """Temperatures of one finger's joints [degC], or one for the whole finger."""

    finger: int
    celsius: tuple[int, ...]


@dataclass(frozen=True)
class HandInfo:
    """What the hand says about itself. Versions are (major, minor)."""

    hardware: tuple[int, int]
    firmware: tuple[int, int]
    is_left: bool
    temperature_c: int
    servo_on: bool
    over_temperature: bool
    internal_fault: bool


@dataclass(frozen=True)
class SerialNumber:
    """The hand's serial number."""

    text: str


Report = FingerPose | FingerTemperature | HandInfo | SerialNumber


def identifier(message: int, device_id: int) -> int:
    """Identifier of a frame from or to a hand."""
    return message << 2 | device_id


def device_of(frame: Frame) -> int:
    """Device id in a frame's identifier."""
    return frame.identifier & 0b11


def servo(on: bool, device_id: int) -> Frame:
    """Switch the motor drivers on or off."""
    return Frame(identifier(Message.SERVO_ON if on else Message.SERVO_OFF, device_id))


def torque(finger: int, counts: Sequence[int], device_id: int) -> Frame:
    """Torques of one finger's joints, in effect until the next ones [count]."""
    return Frame(identifier(Message.SET_TORQUE + finger, device_id), struct.pack("<4h", *counts))


def torques(counts: Int[np.ndarray, "16"], device_id: int) -> list[Frame]:
    """Torques of all joints in the order of the wire [count]."""
    rows = counts.reshape(FINGERS, JOINTS_PER_FINGER).tolist()
    return [torque(finger, row, device_id) for finger, row in enumerate(rows)]


def period(position_ms: int, temperature_ms: int, device_id: int) -> Frame:
    """How often the hand reports by itself; 0 is never [ms]. The IMU stays silent."""
    data = struct.pack("<3H", position_ms, 0, temperature_ms)
    return Frame(identifier(Message.SET_PERIOD, device_id), data)


def request(message: Message, device_id: int) -> Frame:
    """Remote frame that asks for a report."""
    return Frame(identifier(message, device_id), remote=True)


def to_radians(
    counts: Int[np.ndarray, " n"] | Float[np.ndarray, " n"], model: HandModel
) -> Float[np.ndarray, " n"]:
    """Reported positions [count] as angles [rad]."""
    return counts * model.rad_per_count


def decode(frame: Frame, device_id: int) -> Report | None:
    """What a frame of the hand `device_id` reports; None where it is none of these messages.

    Raises:
        MalformedFrameError: the message has another length than it should.
    """
    if frame.remote or frame.error or device_of(frame) != device_id:
        return None
    message = frame.identifier >> 2
    finger = message & 0b11
    if message - finger == Message.FINGER_POSE:
        return FingerPose(finger, struct.unpack("<4h", _sized(frame, 8)))
    if message - finger == Message.TEMPERATURE:
        return FingerTemperature(finger, _temperatures(_sized(frame, 4)))
    if message == Message.INFO:
        return _info(_sized(frame, 7))
    if message == Message.SERIAL:
        text = _sized(frame, 8).decode("ascii", errors="replace")
        return SerialNumber(text.strip("\0 "))
    return None


def _sized(frame: Frame, size: int) -> bytes:
    if len(frame.data) != size:
        raise MalformedFrameError(
            f"frame {frame.identifier:#05x} has {len(frame.data)} bytes, expected {size}. Is "
            "something else than an Allegro hand on this bus, or a hand of another generation?"
        )
    return frame.data


def _temperatures(data: bytes) -> tuple[int, ...]:
    """One byte per joint; the ROS 1 driver reads the same four bytes as one number instead.

    No joint is at 0 degC: three zeros are the upper bytes of one number.
    """
    return tuple(data) if any(data[1:]) else (data[0],)


def _info(data: bytes) -> HandInfo:
    hardware_minor, hardware_major, firmware_minor, firmware_major, side, celsius, status = data
    return HandInfo(
        hardware=(hardware_major, hardware_minor),
        firmware=(firmware_major, firmware_minor),
        is_left=bool(side),
        temperature_c=celsius,
        servo_on=bool(status & 1),
        over_temperature=bool(status & 2),
        internal_fault=bool(status & 4),
    )
