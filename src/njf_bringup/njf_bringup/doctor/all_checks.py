"""All checks, in the order in which they are made."""

from collections.abc import Callable, Iterator
from pathlib import Path

from njf_bringup.doctor import hardware, machine, software
from njf_bringup.doctor.check import Check
from njf_control.robot import RobotConfig


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
        checks += [
            lambda: hardware.serial_port(robot.driver.port),
            lambda: hardware.latency_timer(robot.driver.port),
            lambda: hardware.camera_devices(len(robot.cameras)),
        ]
    checks += [
        lambda: software.checkpoint(checkpoint, robot),
        lambda: machine.disk(Path.cwd(), robot),
        software.dds_round_trip,
    ]
    for check in checks:
        yield check()
