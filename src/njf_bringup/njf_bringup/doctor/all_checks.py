"""All checks, in the order in which they are made."""

from collections.abc import Callable, Iterator
from pathlib import Path

from njf_bringup.doctor import hardware, machine, software
from njf_bringup.doctor.check import Check
from njf_control.drivers.pressure.config import PressureBoardConfig, VtemConfig
from njf_control.robot import DynamixelConfig, RobotConfig


def run_checks(robot: RobotConfig, checkpoint: Path, sim: bool) -> Iterator[Check]:
    """Run all checks one after the other; slow ones come last."""
    checks: list[Callable[[], Check]] = [
        software.python,
        software.packages,
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
    checks: list[Callable[[], Check]] = [lambda: hardware.camera_devices(len(robot.cameras))]
    if isinstance(robot.driver, VtemConfig):
        host, tcp_port = robot.driver.host, robot.driver.port
        checks += [lambda: hardware.network_device(host, tcp_port)]
    if isinstance(robot.driver, DynamixelConfig | PressureBoardConfig):
        port = robot.driver.port
        checks += [lambda: hardware.serial_port(port), lambda: hardware.latency_timer(port)]
    return checks
