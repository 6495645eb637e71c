"""All checks, in the order in which they are made."""

from collections.abc import Callable, Iterator
from pathlib import Path

from njf_bringup.doctor import cameras, hardware, machine, software
from njf_bringup.doctor.check import Check
from njf_control.drivers.allegro.config import AllegroConfig
from njf_control.drivers.pressure.config import PressureBoardConfig, VtemConfig
from njf_control.robot import DynamixelConfig, RobotConfig


def run_checks(robot: RobotConfig, checkpoint: Path, sim: bool) -> Iterator[Check]:
    """Run all checks one after the other; slow ones come last."""
    checks: list[Callable[[], Check]] = [
        software.python,
        lambda: software.packages(robot),
        software.versions,
        software.messages,
        software.dds_profile,
        machine.cores,
        machine.shared_memory,
        machine.gpu,
    ]
    if not sim:
        checks += _hardware(robot)
    checks += [
        lambda: software.checkpoint(checkpoint, robot),
        lambda: machine.disk(Path.cwd(), robot),
        software.dds_round_trip,
    ]
    for check in checks:
        yield check()


def _hardware(robot: RobotConfig) -> list[Callable[[], Check]]:
    return [
        *_bus(robot),
        lambda: cameras.camera_count(robot),
        lambda: cameras.camera_modes(robot),
        lambda: cameras.camera_bandwidth(robot),
    ]


def _bus(robot: RobotConfig) -> list[Callable[[], Check]]:
    """What lies between this computer and the robot's device; nothing for a simulated robot."""
    driver = robot.driver
    if isinstance(driver, VtemConfig):
        return [lambda: hardware.network_device(driver.host, driver.port)]
    if isinstance(driver, AllegroConfig):
        return [lambda: hardware.can_interface(driver.port)]
    if isinstance(driver, DynamixelConfig | PressureBoardConfig):
        port, baud = driver.port, driver.baud
        return [
            lambda: hardware.serial_port(port),
            lambda: hardware.latency_timer(port),
            lambda: hardware.baud_rate(port, baud),
        ]
    return []
