"""Write docs/reference.md anew from the running program; with --check only say whether it is old.

Small graphs are started one after the other, so that every node runs once: the simulated finger
that servos, is looked at and records; that recording, replayed; the finger that explores; and a
camera that plays a picture.
"""

import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import yaml

from njf_bringup.cli import app
from njf_bringup.graph import ResolvedGraph, load_graph
from njf_bringup.reference.compare import differences
from njf_bringup.reference.inspect import NodeFacts, ParameterFacts
from njf_bringup.reference.page import page
from njf_bringup.up import resolve_options, running, use_private_domain

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference.md"
# What is only set here, and what the reference says instead.
HERE: dict[str, dict[str, object]] = {
    "camera": {"source": "uvc", "loop": False},
    "browser": {"port": 8080},
    "player": {"rate": 1.0},
}


def graphs(scratch: Path) -> Iterator[tuple[ResolvedGraph, list[str]]]:
    """Graphs to start, and the nodes to look at in each."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    servo = resolve_options(
        run_dir=scratch / "servo", record="stream", browser=True, browser_port=port
    )
    yield servo, [node.name for node in servo.nodes]
    replay = resolve_options(
        run_dir=scratch / "replay", task="replay", play_bag=scratch / "servo" / "bag", play_rate=0.1
    )
    yield replay, ["shadow", "player"]
    explore = resolve_options(run_dir=scratch / "explore", task="explore", record="stills")
    yield explore, ["explorer"]
    yield _camera(scratch), ["camera_0_driver", "camera_poses"]


def _camera(scratch: Path) -> ResolvedGraph:
    """A camera node that plays a folder of pictures."""
    pictures = scratch / "pictures"
    pictures.mkdir(parents=True)
    for index in range(2):
        cv2.imwrite(str(pictures / f"{index}.png"), np.full((480, 640, 3), 100 * index, np.uint8))
    played = {"path": str(pictures), "source": "video", "loop": True}
    parameters = {"/**": {"ros__parameters": played}}
    file = scratch / "camera.yaml"
    file.write_text(yaml.safe_dump(parameters))
    poses = scratch / "camera_poses.yaml"
    pose = {"frame": "camera_0", "position_m": [0.0] * 3, "quaternion_xyzw": [0.0, 0.0, 0.0, 1.0]}
    poses.write_text(yaml.safe_dump({"cameras": {"camera_0": pose}}))
    graph = resolve_options(
        sim=False,
        task="none",
        run_dir=scratch / "camera",
        params_file=file,
        camera_poses=str(poses),
    )
    return graph.only("camera_0_driver", "camera_poses")


def look_at_all(scratch: Path) -> list[NodeFacts]:
    """Start every graph and ask its nodes."""
    from njf_bringup.nodes.inspector import Inspector

    facts = []
    for graph, names in graphs(scratch):
        with running(graph), Inspector() as inspector:
            facts += [inspector.look(n) for n in graph.nodes if n.name in names]
    looked_at = {(node.package, node.executable) for node in facts}
    for node in load_graph().nodes:
        if not node.external and (node.package, node.executable) not in looked_at:
            raise SystemExit(f"no graph of this script starts the node {node.name}: add one")
    return [_without_paths(node, scratch) for node in facts]


def _without_paths(node: NodeFacts, scratch: Path) -> NodeFacts:
    """This run's own values are nobody's defaults."""
    here, instead = (str(ROOT), str(scratch)), HERE.get(node.executable, {})

    def plain(parameter: ParameterFacts) -> ParameterFacts:
        if str(parameter.default).startswith(here):
            return replace(parameter, default="")
        return replace(parameter, default=instead.get(parameter.name, parameter.default))

    return replace(node, parameters=[plain(parameter) for parameter in node.parameters])


def main() -> int:
    """Write the page, or compare it."""
    use_private_domain()
    with tempfile.TemporaryDirectory(prefix="njf_reference_") as folder:
        nodes = look_at_all(Path(folder))
    text = page(app, load_graph(), nodes, ROOT / "src" / "njf_msgs")
    if "--check" not in sys.argv:
        PAGE.write_text(text)
        return 0
    if text == PAGE.read_text():
        return 0
    print("docs/reference.md is old. Run scripts/reference.py. Differences:")
    print("\n".join(differences(PAGE.read_text(), text)))
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
