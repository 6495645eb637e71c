"""docs/reference.md says what the program has: nodes, topics, parameters, arguments, verbs."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from documented import facts

from njf_bringup.cli import app
from njf_bringup.graph import Argument, Graph, load_graph
from njf_bringup.reference.compare import differences
from njf_bringup.reference.inspect import NodeFacts, ParameterFacts
from njf_bringup.reference.page import page

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference.md"
MESSAGES = ROOT / "src" / "njf_msgs"
SPEED = ParameterFacts("speed", 1.0, "0 to 2", "how fast [rad/s]")
NODE = NodeFacts(
    "walker",
    "njf_legs",
    "walker",
    "Node `walker`: walks.",
    publishes=[("steps", "njf_msgs/msg/Command"), ("tumbles", "njf_msgs/msg/Command")],
    subscribes=[("goal", "njf_msgs/msg/Command")],
    serves=[("halt", "njf_msgs/srv/EmergencyStop")],
    parameters=[SPEED, replace(SPEED, name="stride")],
)


def test_verbs_arguments_and_messages_are_there() -> None:
    found = differences(without_nodes(PAGE.read_text()), without_nodes(written([])))
    assert not found, "run scripts/reference.py: " + "; ".join(found)


def without_nodes(text: str) -> str:
    """What can be said without starting anything."""
    before, _, nodes = text.partition("\n## Nodes\n")
    return before + "\n## Messages" + nodes.partition("\n## Messages")[2]


def test_every_node_of_the_graph_is_there() -> None:
    there = {(node.package, node.executable) for node in facts.nodes().values()}
    for node in load_graph().nodes:
        assert node.external or (node.package, node.executable) in there, node.name


def written(
    nodes: list[NodeFacts], graph: Graph | None = None, verbs: typer.Typer | None = None
) -> str:
    return page(verbs or app, graph or load_graph(), nodes, MESSAGES)


def test_a_page_that_is_right_has_no_differences() -> None:
    assert differences(written([NODE]), written([NODE])) == []


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [
        ({"publishes": NODE.publishes[:1]}, "walker: publishes `tumbles` is missing"),
        ({"subscribes": []}, "walker: subscribes to `goal` is missing"),
        ({"serves": []}, "walker: serves `halt` is missing"),
        ({"parameters": [SPEED]}, "walker: parameter `stride` is missing"),
    ],
)
def test_a_missing_topic_service_or_parameter_is_named(left_out: dict, sentence: str) -> None:
    assert differences(written([replace(NODE, **left_out)]), written([NODE])) == [sentence]


def test_a_missing_node_is_named() -> None:
    assert "walker is missing" in differences(written([]), written([NODE]))


def test_a_missing_launch_argument_is_named() -> None:
    graph = load_graph()
    legs = Argument(description="number of legs", default=2)
    more = graph.model_copy(update={"arguments": graph.arguments | {"legs": legs}})
    old, new = written([]), written([], more)
    assert differences(old, new) == ["Launch arguments: argument `legs` is missing"]


def test_a_missing_verb_and_a_missing_option_are_named() -> None:
    def walk(steps: int = 1, far: bool = False) -> None:
        """Walk."""

    verbs, fewer, none = typer.Typer(), typer.Typer(), typer.Typer()
    verbs.command("walk")(walk)
    fewer.command("walk")(lambda steps=1: None)
    for each in (verbs, fewer, none):
        each.command("stand")(lambda: None)
        each.command("sit")(lambda: None)
    new = written([], verbs=verbs)
    assert "njf walk is missing" in differences(written([], verbs=none), new)
    found = differences(written([], verbs=fewer), new)
    assert "njf walk: option `--far`, `--no-far` is missing" in found


def test_verbs_of_a_group_and_what_they_are_given_are_there() -> None:
    def sit(where: str, long: bool = False) -> None:
        """Sit down."""

    dog = typer.Typer()
    dog.command("sit")(sit)
    dog.command("stand")(lambda: None)
    more = typer.Typer()
    more.add_typer(dog, name="dog")
    text = written([], verbs=more)
    assert "### njf dog sit\n\nSit down.\n" in text
    assert "| `<where>` |" in text and "| `--long`, `--no-long` | `false` |" in text


def test_another_default_or_description_is_told() -> None:
    faster = replace(NODE, parameters=[replace(SPEED, default=2.0), NODE.parameters[1]])
    (sentence,) = differences(written([NODE]), written([faster]))
    assert sentence.startswith("walker: parameter `speed` now reads: | `speed` | `2.0` |")


@pytest.mark.ros
@pytest.mark.timeout(600)
def test_the_reference_is_what_the_program_says(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "reference.py", "--check"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
