"""Where config/ and checkpoints/ are: in the source tree, or in the installed share folder."""

import os
from functools import cache
from pathlib import Path

from njf_perception.errors import ConfigError


@cache
def root() -> Path:
    """The folder that holds config/graph.yaml.

    Raises:
        ConfigError: neither the source tree nor an installed share folder has it.
    """
    candidates = [*Path(__file__).resolve().parents, *_installed_shares()]
    for folder in candidates:
        if (folder / "config" / "graph.yaml").is_file():
            return folder
    raise ConfigError(
        f"config/graph.yaml not found beside the source ({Path(__file__).parent}) nor in "
        "AMENT_PREFIX_PATH. Run from a checkout, or source the workspace's install/setup.bash."
    )


def robot_names() -> list[str]:
    """Names of the robots that have a file in config/robots."""
    return sorted(path.stem for path in (root() / "config" / "robots").glob("*.yaml"))


def robot_file(robot: str) -> Path:
    """Path of a robot's YAML file: a name stands for config/robots/<name>.yaml.

    Raises:
        ConfigError: there is no such robot; the message lists those there are.
    """
    if Path(robot).suffix == ".yaml":
        if not Path(robot).is_file():
            raise ConfigError(
                f"robot file {Path(robot).absolute()} does not exist. Check the path, or name one "
                f"of {', '.join(robot_names())}."
            )
        return Path(robot).absolute()
    if robot not in robot_names():
        raise ConfigError(
            f"unknown robot '{robot}'; robots: {', '.join(robot_names())}. A robot of your own is "
            "given as the path of its file, which ends in .yaml."
        )
    return root() / "config" / "robots" / f"{robot}.yaml"


def robot_name(robot: str) -> str:
    """What folders of a robot are called: its name, or that of its file."""
    return Path(robot).stem if Path(robot).suffix == ".yaml" else robot


def data_folder(robot: str) -> Path:
    """Where a robot's recordings, datasets and trainings are by default."""
    return Path("data") / robot_name(robot)


def checkpoint_file(robot: str) -> Path:
    """Where a robot's installed model is."""
    name = robot_name(robot)
    return root() / "checkpoints" / name / f"{name}.pt"


def _installed_shares() -> list[Path]:
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    return [Path(prefix) / "share" / "njf_bringup" for prefix in prefixes if prefix]
