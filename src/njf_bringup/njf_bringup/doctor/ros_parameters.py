"""What a YAML file of ROS parameters sets for one node, as the node itself would read it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from njf_perception.config import read_yaml
from njf_perception.errors import ConfigError

_KEY = "ros__parameters"


def parameters_of(node: str, path: str | Path) -> dict[str, Any]:
    """The parameters for the node of this absolute name, such as /lab/camera_0_driver.

    A section's name may have wildcards: `*` is one part of a name, `**` any number of them, none
    included. Of several sections that fit, the later one wins, be it the more general one or not.

    Raises:
        ConfigError: the file cannot be read, or is no file of ROS parameters.
    """
    values: dict[str, Any] = {}
    for name, section in _sections(read_yaml(path), "", str(path)):
        if _pattern(name).fullmatch(node):
            values |= section
    return values


def _sections(content: Any, name: str, origin: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Node names with their parameters; namespaces may be sections around their nodes."""
    if not isinstance(content, dict):
        raise ConfigError(
            f"{origin}: {name or 'the file'} holds {content!r}, expected nodes with {_KEY}. "
            "docs/hardware/cameras.md shows such a file."
        )
    for key, inner in content.items():
        if key != _KEY:
            yield from _sections(inner, f"{name}/{str(key).strip('/')}", origin)
        elif isinstance(inner, dict):
            yield name, inner
        else:
            raise ConfigError(
                f"{origin}: {_KEY} of {name} is {inner!r}, expected parameters with their values."
            )


def _pattern(name: str) -> re.Pattern[str]:
    wildcards = {"*": r"/\w+", "**": r"(/\w+)*"}
    parts = name.strip("/").split("/")
    return re.compile("".join(wildcards.get(part, "/" + re.escape(part)) for part in parts))
