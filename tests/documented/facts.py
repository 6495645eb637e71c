"""docs/reference.md as data: what nodes publish, subscribe to, serve, and are set by."""

import re
from dataclasses import dataclass, field

from documented.markdown import ROOT


@dataclass
class NodeRows:
    """The rows of one node."""

    package: str
    executable: str
    publishes: dict[str, str] = field(default_factory=dict)
    subscribes_to: dict[str, str] = field(default_factory=dict)
    serves: dict[str, str] = field(default_factory=dict)
    parameter: dict[str, str] = field(default_factory=dict)


def nodes() -> dict[str, NodeRows]:
    """Every node of the reference by its name."""
    page = (ROOT / "docs" / "reference.md").read_text()
    chapter = page.split("\n## Nodes\n")[1].split("\n## ")[0]
    return {
        name: _rows(text)
        for name, text in re.findall(r"### (\S+)\n(.*?)(?=\n### |\Z)", chapter, re.S)
    }


def _rows(text: str) -> NodeRows:
    head = re.search(r"`(\w+)`, `(\w+)`\.", text)
    assert head, text
    found, table = NodeRows(head[1], head[2]), {}
    for line in text.splitlines():
        cells = [cell.strip(" `") for cell in line.strip("| ").split(" | ")]
        if line.startswith("| ") and cells[0] in (
            "publishes",
            "subscribes to",
            "serves",
            "parameter",
        ):
            table = getattr(found, cells[0].replace(" ", "_"))
        elif line.startswith("| `"):
            table[cells[0]] = cells[1] if len(cells) > 1 else ""
    return found


def topics() -> set[str]:
    """Topics of all nodes, relative, with camera_0 for every camera."""
    return {one_camera(t) for n in nodes().values() for t in (*n.publishes, *n.subscribes_to)}


def services() -> dict[str, str]:
    """Services and actions with their types."""
    return {name: kind for node in nodes().values() for name, kind in node.serves.items()}


def one_camera(name: str) -> str:
    """`/camera_3/image_raw` as the reference writes it."""
    return re.sub(r"\bcamera_\d+", "camera_0", name.removeprefix("/"))
