"""Robots of MuJoCo Menagerie by name, through the package mujoco-menagerie, which fetches them.

The models are no part of this project; each has a licence of its own.
"""

import difflib
import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from njf_perception.errors import ConfigError

PREFIX = "menagerie:"
_CLOSE = 0.5
_SHOWN = 6


def menagerie_file(mjcf: str) -> Path:
    """The MJCF file of `menagerie:<robot>` or `menagerie:<robot>/<model>`, fetched if need be.

    Without `<model>` it is the robot alone, without the scene around it.

    Raises:
        ConfigError: the package is not installed, it knows no such robot or model, or the files
            cannot be had.
    """
    package = _package(mjcf)
    name, _, entry = mjcf.removeprefix(PREFIX).partition("/")
    if name not in package.names():
        raise ConfigError(
            f"simulation.mjcf is '{mjcf}', but MuJoCo Menagerie has no robot '{name}'; "
            f"{_alike(name, package.names())}."
        )
    robot = package.get(name)
    entry = entry.removesuffix(".xml") or robot.default_model
    if entry not in robot.entry_names:
        raise ConfigError(
            f"simulation.mjcf is '{mjcf}', but {name} has no model '{entry}'; its models: "
            f"{', '.join(robot.entry_names)}."
        )
    try:
        return Path(robot.xml(entry))
    except (package.MenagerieError, OSError) as error:
        raise ConfigError(
            f"simulation.mjcf is '{mjcf}', but its files cannot be had: {error}. Try again with a "
            "network, or set MENAGERIE_ROOT to a checkout of MuJoCo Menagerie."
        ) from None


def _package(mjcf: str) -> Any:
    try:
        return importlib.import_module("mujoco_menagerie")
    except ImportError as error:
        raise ConfigError(
            f"simulation.mjcf is '{mjcf}', which needs mujoco-menagerie ({error}). Install it with "
            "`pip install mujoco-menagerie`, or name an MJCF file."
        ) from None


def _alike(name: str, known: Iterable[str]) -> str:
    """Which known names may have been meant, or how to see them all."""
    known = list(known)
    alike = [other for other in known if name and name.lower() in other]
    alike += difflib.get_close_matches(name, known, n=_SHOWN, cutoff=_CLOSE)
    if not alike:
        return "`mujoco-menagerie names` lists all"
    return f"close: {', '.join(list(dict.fromkeys(alike))[:_SHOWN])}"
