"""A robot file for an imported dataset: enough to train and judge, not to drive."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from njf_control.robot import RobotConfig
from njf_perception.errors import DataError
from njf_training.njf_import.actions import ActionRule
from njf_training.njf_import.options import ImportOptions
from njf_training.njf_import.views import View

HEADER = """\
# Written by `njf import-njf`. Copy it to config/robots/{name}.yaml to train on this dataset.
# Limits are what was recorded. The robot itself is elsewhere: it has neither driver nor simulation
# here, so it can be trained and looked at, but not driven.
"""


def roles_of(options: ImportOptions, cameras: int) -> list[str]:
    """Role per camera: one control camera, the last others held out.

    Raises:
        DataError: there are too few cameras for that.
    """
    if options.control >= cameras:
        raise DataError(f"control camera {options.control}, but there are {cameras} cameras.")
    others = [i for i in range(cameras) if i != options.control]
    if options.held_out and options.held_out >= len(others):
        raise DataError(
            f"{options.held_out} cameras held out of {cameras} leave none to train on beside the "
            "control camera. Hold out fewer."
        )
    kept = len(others) - options.held_out
    held_out = set(others[kept:])
    roles = ["held_out" if i in held_out else "training" for i in range(cameras)]
    roles[options.control] = "control"
    return roles


def describe_robot(
    rule: ActionRule,
    names: Sequence[str],
    commands: Float[np.ndarray, "t n"],
    views: Sequence[View],
    roles: Sequence[str],
) -> RobotConfig:
    """The robot as recorded; its workspace is filled in by `write_robot`.

    Raises:
        DataError: a channel never moved.
    """
    low, high = commands.min(0), commands.max(0)
    if still := [name for name, a, b in zip(names, low, high, strict=True) if b - a < 1e-9]:
        raise DataError(
            f"{', '.join(still)} never moved, so what it does cannot be learnt. Import the folders "
            "in which every channel moves, together."
        )
    return RobotConfig.model_validate(
        {
            "name": rule.robot,
            "channels": [
                {"name": name, "unit": rule.unit, "lower": a, "upper": b, "max_rate": b - a}
                for name, a, b in zip(names, low.tolist(), high.tolist(), strict=True)
            ],
            "driver": {"kind": "simulated", "rate_hz": 50.0},
            "safety": {},
            "cameras": [
                {
                    "name": view.name,
                    "role": role,
                    "width": view.camera.width,
                    "height": view.camera.height,
                }
                for view, role in zip(views, roles, strict=True)
            ],
            "simulation": {"mjcf": "unavailable.xml"},
            "workspace_min_m": [-1.0, -1.0, -1.0],
            "workspace_max_m": [1.0, 1.0, 1.0],
        }
    )


def write_robot(
    folder: Path,
    robot: RobotConfig,
    box: tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]],
) -> None:
    """Write robot.yaml with the box the robot moved in [m, world]."""
    corners = {
        "workspace_min_m": box[0].round(4).tolist(),
        "workspace_max_m": box[1].round(4).tolist(),
    }
    content = robot.model_copy(update=corners).model_dump(mode="json", exclude_none=True)
    lines = [f"{key}: {json.dumps(value)}" for key, value in content.items()]  # JSON is YAML
    text = HEADER.format(name=robot.name) + "\n".join(lines) + "\n"
    (folder / "robot.yaml").write_text(text)
