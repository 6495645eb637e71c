"""From the `simulation` section of a robot's file to a compiled MuJoCo model."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

from importlib import resources
from pathlib import Path

import mujoco

from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError
from njf_sim.additions import add_to
from njf_sim.menagerie import PREFIX, menagerie_file

_FIRST_HIDDEN_GROUP = 3  # MuJoCo's viewers show groups 0 to 2; collision shapes are in the others


def compile_model(robot: RobotConfig) -> mujoco.MjModel:
    """Compile the robot's MJCF file with what `simulation.add` says is to be added.

    Geoms that MuJoCo's viewers hide by default, groups 3 to 5, are invisible.

    Raises:
        ConfigError: the file is missing or broken, or lacks what an addition refers to.
    """
    path = model_file(robot.simulation.mjcf)
    try:
        spec = mujoco.MjSpec.from_file(str(path))
    except ValueError as error:
        raise ConfigError(f"{path}: MuJoCo does not read it: {error}") from None
    add_to(spec, robot)
    if not robot.simulation.gravity:
        spec.option.gravity = [0.0, 0.0, 0.0]
    try:
        model = spec.compile()
    except ValueError as error:
        raise ConfigError(f"{path}: MuJoCo does not compile it: {error}") from None
    hidden = model.geom_group >= _FIRST_HIDDEN_GROUP
    model.geom_matid[hidden] = -1
    model.geom_rgba[hidden, 3] = 0.0
    return model


def model_file(mjcf: str) -> Path:
    """Path of what `simulation.mjcf` names.

    Raises:
        ConfigError: there is no such file.
    """
    if not mjcf:
        raise ConfigError(
            "the robot's file has no simulation.mjcf, so there is nothing to simulate. Run it with "
            "--hardware, or name an MJCF file there: docs/adding_a_robot.md."
        )
    if mjcf.startswith(PREFIX):
        return menagerie_file(mjcf)
    path = Path(mjcf)
    if not path.is_absolute():
        path = Path(str(resources.files("njf_sim") / "models")) / path
    if not path.is_file():
        raise ConfigError(
            f"simulation.mjcf is '{mjcf}', but {path} does not exist. Put the MJCF file beside the "
            "robot's file, or name one of njf_sim/models, or a robot of MuJoCo Menagerie as "
            "menagerie:<robot>."
        )
    return path
