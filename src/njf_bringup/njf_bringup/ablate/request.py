"""From the words of the command line to an ablation."""

from pathlib import Path
from typing import Any

from njf_bringup.ablate.cells import Row, rows
from njf_bringup.ablate.run import Ablation
from njf_bringup.paths import robot_file, root
from njf_control.robot import load_robot
from njf_perception.config import parse_config, read_yaml
from njf_perception.errors import ConfigError
from njf_training.train_config import TrainConfig


def make_ablation(
    robot: str, out: Path, steps: int | None, states: int, seeds: int, jobs: int
) -> Ablation:
    """The ablation of a robot with its own training configuration, or the defaults.

    Raises:
        ConfigError: there is no such robot, or its training configuration is wrong.
    """
    path = root() / "config" / "training" / f"{robot}.yaml"
    content = read_yaml(path) if path.is_file() else {}
    whole = parse_config(content, TrainConfig, str(path))
    if steps is not None:
        content |= shortened(whole, steps)
    return Ablation(load_robot(robot_file(robot)), out, content, states, seeds, jobs)


def shortened(whole: TrainConfig, steps: int) -> dict[str, Any]:
    """The keys by which a training becomes `steps` long.

    Warm-up and the memory of the averaged weights keep their share of it; else what is judged
    would still remember the untrained weights.
    """
    share = steps / whole.steps
    return {
        "steps": steps,
        "warmup_steps": max(1, round(share * whole.warmup_steps)),
        "ema": max(0.0, 1.0 - (1.0 - whole.ema) / share),
    }


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
