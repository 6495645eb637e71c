"""From the words of the command line to an ablation."""

from pathlib import Path

import yaml

from njf_bringup.ablate.cells import Row, rows
from njf_bringup.ablate.run import Ablation
from njf_bringup.paths import robot_file, root
from njf_control.robot import load_robot
from njf_perception.errors import ConfigError


def make_ablation(
    robot: str, out: Path, steps: int | None, states: int, seeds: int, jobs: int
) -> Ablation:
    """The ablation of a robot with its own training configuration, or the defaults.

    Raises:
        ConfigError: there is no such robot.
    """
    path = root() / "config" / "training" / f"{robot}.yaml"
    content = yaml.safe_load(path.read_text()) if path.is_file() else {}
    if steps is not None:
        content["steps"] = steps
    return Ablation(load_robot(robot_file(robot)), out, content, states, seeds, jobs)


def select_rows(ablation: Ablation, beginning: str = "") -> list[Row]:
    """The rows whose group begins with some words.

    Raises:
        ConfigError: none does; the message lists the groups.
    """
    every = rows(ablation.cameras, ablation.states)
    found = [row for row in every if row.group.startswith(beginning)]
    if not found:
        groups = ", ".join(dict.fromkeys(f"'{row.group}'" for row in every))
        raise ConfigError(f"no group begins with '{beginning}'; groups: {groups}.")
    return found
