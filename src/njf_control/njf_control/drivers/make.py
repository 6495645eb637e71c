"""From a robot's configuration to its driver."""

from njf_control.drivers.allegro.bus import CanBus
from njf_control.drivers.allegro.config import AllegroConfig
from njf_control.drivers.allegro.driver import AllegroDriver
from njf_control.drivers.base import RobotDriver
from njf_control.drivers.dry_run import DryRunDriver
from njf_control.drivers.dynamixel.driver import DynamixelDriver, bus_of
from njf_control.drivers.pressure.board import PressureBoard
from njf_control.drivers.pressure.board_link import BoardLink
from njf_control.drivers.pressure.config import (
    PressureBoardConfig,
    VtemConfig,
    output_of_each_channel,
)
from njf_control.drivers.pressure.device import PressureDevice
from njf_control.drivers.pressure.driver import PressureDriver
from njf_control.drivers.pressure.modbus import ModbusLink
from njf_control.drivers.pressure.vtem import VtemTerminal
from njf_control.drivers.simulated.driver import SimulatedDriver
from njf_control.robot import DynamixelConfig, RobotConfig
from njf_perception.errors import ConfigError


def make_driver(robot: RobotConfig, port: str = "", dry_run: bool = False) -> RobotDriver:
    """The driver of `robot`, not yet connected; a non-empty `port` replaces the configured one.

    Raises:
        ConfigError: the configuration asks for what the hardware cannot do, or for a simulated
            robot without saying where its simulator is.
    """
    driver = _make(robot, port)
    return DryRunDriver(driver) if dry_run else driver


def _make(robot: RobotConfig, port: str) -> RobotDriver:
    if isinstance(robot.driver, DynamixelConfig):
        return DynamixelDriver(robot, bus_of(robot.driver, port))
    if isinstance(robot.driver, AllegroConfig):
        return AllegroDriver(robot, CanBus(port or robot.driver.port))
    if isinstance(robot.driver, VtemConfig | PressureBoardConfig):
        return PressureDriver(robot, _regulators(robot, robot.driver, port))
    if not port:
        raise ConfigError(
            f"robot '{robot.name}' has driver.kind simulated, so there is no hardware to drive. "
            "Run it with its simulator, and give the simulator's socket as the parameter `port`."
        )
    return SimulatedDriver(robot, port)


def _regulators(
    robot: RobotConfig, config: VtemConfig | PressureBoardConfig, port: str
) -> PressureDevice:
    names = robot.channel_names
    outputs = output_of_each_channel(names, config.outputs)
    if isinstance(config, PressureBoardConfig):
        link = BoardLink(port or config.port, config.baud, config.reply_timeout_s)
        return PressureBoard(config, names, outputs, link)
    address = port or f"{config.host}:{config.port}"
    modbus = ModbusLink(address, config.device_id, config.reply_timeout_s)
    return VtemTerminal(config, names, outputs, modbus)
