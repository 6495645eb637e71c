"""From a robot's configuration to the fake of its device."""

from typing import Protocol, runtime_checkable

from njf_control.drivers.allegro.config import AllegroConfig
from njf_control.drivers.pressure.config import (
    PressureBoardConfig,
    VtemConfig,
    output_of_each_channel,
)
from njf_control.robot import DynamixelConfig, RobotConfig
from njf_perception.errors import ConfigError
from njf_sim.fakes.allegro import FakeAllegroHand
from njf_sim.fakes.chambers import Chambers
from njf_sim.fakes.dynamixel import FakeDynamixelBus, FakeProtocol1Bus
from njf_sim.fakes.dynamixel_models import FAKES, Mounting
from njf_sim.fakes.pressure_board import FakePressureBoard
from njf_sim.fakes.simulated import SimulatedDevice
from njf_sim.fakes.vtem import FakeVtem
from njf_sim.plant import Plant


@runtime_checkable
class Device(Protocol):
    """What a driver talks to, and what moves the plant.

    Attributes:
        port: where the driver finds it: a path, or an address in the driver's own notation.
    """

    port: str

    def start(self) -> None:
        """Power it."""
        ...

    def close(self) -> None:
        """Unplug it; a connected driver sees that."""
        ...


def channel_ids(robot: RobotConfig) -> list[int]:
    """By which number a plant knows each channel, see `Plant`."""
    return [
        index if channel.motor_id is None else channel.motor_id
        for index, channel in enumerate(robot.channels)
    ]


def make_device(
    robot: RobotConfig, plant: Plant, backlash_rad: float = 0.0, delay_s: float = 0.0
) -> Device:
    """The fake of the robot's device, not yet started.

    Args:
        robot: whose driver it serves.
        plant: what it moves; knows the channels by `channel_ids`.
        backlash_rad: play of each servo [rad].
        delay_s: from goal position to motion of each servo [s].

    Raises:
        ConfigError: play or delay are asked of a robot without servos.
    """
    if isinstance(robot.driver, DynamixelConfig):
        return _servos(robot, robot.driver, plant, backlash_rad, delay_s)
    if backlash_rad or delay_s:
        raise ConfigError(
            f"backlash_rad {backlash_rad:g} and delay_s {delay_s:g} are those of simulated "
            f"servos, but robot '{robot.name}' has none. Set both to 0."
        )
    if isinstance(robot.driver, AllegroConfig):
        return FakeAllegroHand(robot, plant)
    if isinstance(robot.driver, VtemConfig | PressureBoardConfig):
        return _regulators(robot, robot.driver, plant)
    return SimulatedDevice(robot, plant)


def _servos(
    robot: RobotConfig, config: DynamixelConfig, plant: Plant, backlash_rad: float, delay_s: float
) -> FakeDynamixelBus:
    ids = channel_ids(robot)
    channels = dict(zip(ids, robot.channels, strict=True))
    direction = {i: channel.motor_direction for i, channel in channels.items()}
    zero_rad = {i: channel.motor_zero_rad for i, channel in channels.items()}
    mounted, servo = Mounting(plant, direction, zero_rad), FAKES[config.model]
    servos = [servo(motor_id, mounted, backlash_rad, delay_s) for motor_id in ids]
    codes = {baud: code for code, baud in servo.table.baud_codes.items()}
    for one in servos:  # somebody has set them to the robot's speed
        register = servo.table["baud_rate"]
        one.write(register.address, register.encode(codes.get(config.baud, 0)))
    return (FakeProtocol1Bus if servo.table.protocol == 1 else FakeDynamixelBus)(servos)


def _regulators(
    robot: RobotConfig, config: VtemConfig | PressureBoardConfig, plant: Plant
) -> FakeVtem | FakePressureBoard:
    outputs = output_of_each_channel(robot.channel_names, config.outputs)
    chambers = Chambers(plant, channel_ids(robot))
    if isinstance(config, VtemConfig):
        return FakeVtem(chambers, outputs)
    return FakePressureBoard(chambers, outputs, config.largest_count, config.setpoint_pa_per_count)
