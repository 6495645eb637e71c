"""What an Allegro hand's driver is told: bus, order of the joints on the wire, gains, limits."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from njf_perception.config import Config

_JOINTS = 16


class AllegroJointConfig(Config):
    """One joint of the hand. A count is of the hand's torque unit, see `AllegroConfig.model`."""

    name: str = Field(description="the channel that this joint is, or a name of its own when held")
    zero_rad: float = Field(
        default=0.0, description="what the hand reports where this joint is zero [rad]"
    )
    kp: float = Field(gt=0, description="torque per error [count/rad]")
    ki: float = Field(ge=0, description="torque per error and second [count/(rad s)]")
    kd: float = Field(ge=0, description="torque per error of the velocity [count s/rad]")
    max_torque: float = Field(gt=0, le=1200, description="largest torque [count]")
    hold_rad: float | None = Field(
        default=None, description="where a joint that is no channel is held [rad]"
    )


class AllegroConfig(Config):
    """An Allegro hand on a CAN bus."""

    kind: Literal["allegro"] = Field(description="driver family: allegro, a hand on a CAN bus")
    model: Literal["v4", "v5"] = Field(
        description="generation of the hand; torque counts are 1/1200 of the full duty cycle for "
        "v4, mA for v5"
    )
    hand: Literal["right", "left"] = Field(description="what the hand must say it is")
    port: str = Field(
        description="python-can interface and its channel, such as socketcan:can0; a simulated "
        "hand is elsewhere"
    )
    device_id: int = Field(default=0, ge=0, le=3, description="the hand's id on its bus")
    rate_hz: float = Field(gt=0, le=333, description="read-gate-write cycles per second [Hz]")
    period_ms: int = Field(
        default=3, ge=2, le=20, description="the hand reports its positions this often [ms]"
    )
    temperature_period_ms: int = Field(
        default=0,
        ge=0,
        le=60_000,
        description="the hand reports its joints' temperatures this often; 0: never [ms]",
    )
    velocity_filter_hz: float = Field(
        default=30.0, gt=0, le=150, description="corner of the low-pass on the velocities [Hz]"
    )
    feedforward: float = Field(
        default=0.0,
        ge=0,
        description="torque per velocity of the set-point, against the motors' own back-EMF "
        "[count s/rad]",
    )
    friction: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="part of a joint's friction that is overcome in advance; more than all of it "
        "makes the joints tremble [count]",
    )
    ramp_s: float = Field(
        default=0.5, gt=0, le=5, description="torque grows to its full size in this time [s]"
    )
    stale_timeout_s: float = Field(
        default=0.05,
        ge=0.01,
        le=0.5,
        description="zero torque when the hand reported no positions for this long [s]",
    )
    hold_speed_rad_s: float = Field(
        default=0.5, gt=0, le=7, description="speed to where a joint is held [rad/s]"
    )
    joints: list[AllegroJointConfig] = Field(
        min_length=_JOINTS,
        max_length=_JOINTS,
        description="the joints in the order of the wire: fore, middle and ring finger, thumb, "
        "each from the palm to the tip",
    )

    @model_validator(mode="after")
    def _distinct(self) -> "AllegroConfig":
        names = [joint.name for joint in self.joints]
        if len(set(names)) != _JOINTS:
            raise ValueError(f"driver.joints must have {_JOINTS} different names: {names}")
        return self

    def check_channels(self, names: Sequence[str]) -> None:
        """See that every joint is either a channel or held.

        Raises:
            ValueError: a channel is no joint, or a joint is both or neither.
        """
        unknown = sorted(set(names) - {joint.name for joint in self.joints})
        if unknown:
            raise ValueError(f"channels {unknown} are not among driver.joints")
        for joint in self.joints:
            if (joint.name in names) == (joint.hold_rad is not None):
                raise ValueError(
                    f"joint {joint.name} must be either a channel or have hold_rad, not both"
                )
