"""One check's outcome, and the list of all checks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from njf_control.robot import RobotConfig


@dataclass(frozen=True)
class Check:
    """Outcome of one check. `mend` is the command that repairs a failed one."""

    name: str
    state: Literal["ok", "failed", "note"]
    detail: str
    mend: str = ""

    def line(self) -> str:
        """One line for people."""
        mend = f"  ->  {self.mend}" if self.state == "failed" else ""
        return f"{self.state:>6}  {self.name:<16} {self.detail}{mend}"


def run_checks(robot: RobotConfig, checkpoint: Path, sim: bool) -> Iterator[Check]:
    """Run all checks one after the other; slow ones come last."""
    from njf_bringup.doctor import hardware, machine, software

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
