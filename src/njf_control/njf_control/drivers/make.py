"""From a robot's configuration to its driver."""

from njf_control.drivers.base import RobotDriver
from njf_control.drivers.dry_run import DryRunDriver
from njf_control.drivers.dynamixel.bus import DynamixelBus
from njf_control.drivers.dynamixel.driver import DynamixelDriver
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
        bus = DynamixelBus(port or robot.driver.port, robot.driver.baud)
        return DynamixelDriver(robot, bus)
    if not port:
        raise ConfigError(
            f"robot '{robot.name}' has driver.kind simulated, so there is no hardware to drive. "
            "Run it with its simulator, and give the simulator's socket as the parameter `port`."
        )
    return SimulatedDriver(robot, port)
