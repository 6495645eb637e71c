"""From a robot's configuration to its driver."""

from njf_control.drivers.base import RobotDriver
from njf_control.drivers.dry_run import DryRunDriver
from njf_control.drivers.dynamixel.bus import DynamixelBus
from njf_control.drivers.dynamixel.driver import DynamixelDriver
from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError


def make_driver(robot: RobotConfig, port: str = "", dry_run: bool = False) -> RobotDriver:
    """The driver of `robot`, not yet connected; a non-empty `port` replaces the configured one.

    Raises:
        ConfigError: the configuration asks for what the hardware cannot do.
    """
    if robot.driver.kind != "dynamixel":
        raise ConfigError(f"there is no driver of kind {robot.driver.kind!r} yet.")
    bus = DynamixelBus(port or robot.driver.port, robot.driver.baud)
    driver = DynamixelDriver(robot, bus)
    return DryRunDriver(driver) if dry_run else driver
