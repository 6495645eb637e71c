"""Configuration of pressure regulators. Every pressure is a gauge pressure: ambient is 0 Pa."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from njf_perception.config import Config
from njf_perception.errors import ConfigError


class PressureConfig(Config):
    """What all pressure regulators have in common."""

    rate_hz: float = Field(gt=0, le=500, description="read-gate-write cycles per second [Hz]")
    outputs: dict[str, int] = Field(
        default={},
        description="output of the regulators that feeds each channel, by channel name; empty: "
        "output 0 feeds the first channel, 1 the second, and so on",
    )
    max_pressure_pa: float = Field(
        default=30_000.0,
        ge=1000.0,
        le=1_000_000.0,
        description="no higher set-point is ever sent, whatever the channels' ranges say, and a "
        "measured pressure well above it is an alarm [Pa gauge]",
    )
    reply_timeout_s: float = Field(
        default=0.5, ge=0.01, le=2.0, description="longest wait for an answer of the device [s]"
    )
    communication_timeout_s: float = Field(
        default=1.0,
        ge=0.0,
        le=60.0,
        description="the device is told to let go when it hears nothing for this long; 0: not [s]",
    )
    exhaust_s: float = Field(
        default=1.0,
        gt=0,
        le=10,
        description="longest wait for the air to leave before the outputs are switched off [s]",
    )
    exhausted_pa: float = Field(
        default=2000.0, gt=0, description="below this a chamber counts as vented [Pa gauge]"
    )
    following_error_pa: float = Field(
        default=20_000.0,
        gt=0,
        description="a measured pressure further than this from its set-point [Pa]",
    )
    following_timeout_s: float = Field(
        default=1.0, gt=0, le=10, description="for this long is an alarm [s]"
    )


class VtemRegisters(Config):
    """Where a VTEM's words lie; Modbus addresses as they go over the wire, counted from 0."""

    input_base: int = Field(
        default=45_392, ge=0, le=65_535, description="first register of the input process data"
    )
    output_base: int = Field(
        default=40_001, ge=0, le=65_535, description="first register of the output process data"
    )
    input_offset: int = Field(
        default=3,
        ge=0,
        le=1000,
        description="input words of the modules before the VTEM; follows from their order",
    )
    output_offset: int = Field(
        default=2,
        ge=0,
        le=1000,
        description="output words of the modules before the VTEM; follows from their order",
    )
    timeout: int = Field(
        default=46_100, ge=0, le=65_535, description="register of the communication time-out [ms]"
    )


class VtemConfig(PressureConfig):
    """A Festo VTEM (Motion Terminal) over Modbus TCP; output 2 s + v is valve v of slot s."""

    kind: Literal["vtem"] = Field(description="driver family: vtem, a Festo VTEM over Modbus TCP")
    host: str = Field(default="192.168.4.3", description="address of the terminal's bus node")
    port: int = Field(default=502, ge=1, le=65_535, description="TCP port of the bus node")
    device_id: int = Field(default=1, ge=0, le=255, description="Modbus unit id")
    registers: VtemRegisters = Field(
        default_factory=VtemRegisters, description="the terminal's register map"
    )
    regulation_app: int = Field(
        default=3, ge=0, le=63, description="motion app of proportional pressure regulation"
    )
    acknowledge_app: int = Field(
        default=62, ge=0, le=63, description="motion app that acknowledges errors"
    )
    off_app: int = Field(default=61, ge=0, le=63, description="motion app of a slot that is off")
    running_state: int = Field(
        default=2, ge=0, le=3, description="valve state of a slot that regulates"
    )
    off_state: int = Field(default=1, ge=0, le=3, description="valve state of a slot that is off")
    acknowledge_s: float = Field(
        default=0.5, ge=0, le=5, description="time that acknowledging errors takes [s]"
    )
    activation_timeout_s: float = Field(
        default=20.0, gt=0, le=60, description="longest wait for all slots to regulate [s]"
    )
    deactivation_timeout_s: float = Field(
        default=5.0, gt=0, le=60, description="longest wait for all slots to be off [s]"
    )


class PressureBoardConfig(PressureConfig):
    """A microcontroller with DAC and regulators on a serial port; docs/hardware/pneumatic.md."""

    kind: Literal["pressure_board"] = Field(
        description="driver family: pressure_board, analogue regulators behind a microcontroller"
    )
    port: str = Field(description="serial device; simulated boards are elsewhere")
    baud: int = Field(default=115_200, gt=0, description="serial speed [bit/s]")
    setpoint_zero_count: int = Field(
        default=0, ge=0, le=65_535, description="count of the set-point of 0 Pa gauge"
    )
    setpoint_pa_per_count: float = Field(
        default=200_000.0 / 4095, gt=0, description="pressure per count of a set-point [Pa]"
    )
    measured_zero_count: int = Field(
        default=0, ge=0, le=65_535, description="count that is measured at 0 Pa gauge"
    )
    measured_pa_per_count: float = Field(
        default=200_000.0 / 4095, gt=0, description="pressure per measured count [Pa]"
    )
    largest_count: int = Field(
        default=4095, ge=1, le=65_535, description="full scale of set-points and measurements"
    )


def output_of_each_channel(names: Sequence[str], outputs: Mapping[str, int]) -> list[int]:
    """Output per channel, in channel order; without a map the channels' own order.

    Raises:
        ConfigError: the map names other channels, an output twice, or one below 0.
    """
    if not outputs:
        return list(range(len(names)))
    if set(outputs) != set(names):
        raise ConfigError(
            f"driver.outputs names the channels {sorted(outputs)}, expected {sorted(names)}. "
            "Name each channel once, or leave driver.outputs out."
        )
    if min(outputs.values()) < 0:
        raise ConfigError(
            f"driver.outputs has an output below 0: {dict(outputs)}. Outputs count from 0."
        )
    if len(set(outputs.values())) != len(outputs):
        raise ConfigError(
            f"driver.outputs feeds two channels from one output: {dict(outputs)}. "
            "Give each channel an output of its own."
        )
    return [outputs[name] for name in names]
