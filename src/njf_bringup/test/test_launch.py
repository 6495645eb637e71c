"""The launch file: valid Python everywhere, the graph of `njf up` where launch_ros is installed."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import importlib.util
import py_compile
from pathlib import Path
from types import ModuleType

import pytest

from njf_bringup.graph import Value, load_graph
from njf_bringup.paths import root
from njf_bringup.resolve import resolve

LAUNCH = root() / "launch" / "njf.launch.py"


def test_compiles(tmp_path: Path) -> None:
    py_compile.compile(str(LAUNCH), cfile=str(tmp_path / "out.pyc"), doraise=True)


@pytest.fixture
def launch_file() -> ModuleType:
    pytest.importorskip("launch_ros", reason="launch_ros has no wheel; a ROS installation has it")
    spec = importlib.util.spec_from_file_location("njf_launch", LAUNCH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "options",
    [{}, {"task": "explore", "record": "stills", "cameras": "all"}, {"sim": False, "task": "none"}],
)
def test_launches_the_nodes_of_the_graph(
    launch_file: ModuleType, options: dict[str, Value]
) -> None:
    from launch import LaunchContext
    from launch_ros.actions import LifecycleNode, Node

    context = LaunchContext()
    context.launch_configurations.update({k: str(v).lower() for k, v in options.items()})
    launched = []
    for entity in launch_file.generate_launch_description().entities:
        for action in entity.visit(context) or []:
            if isinstance(action, Node):
                managed = isinstance(action, LifecycleNode)
                launched.append((action.node_package, action.node_executable, managed))
    expected = [
        (node.package, node.executable, node.lifecycle)
        for node in resolve(load_graph(), options).nodes
    ]
    assert launched == expected


def test_every_argument_is_described(launch_file: ModuleType) -> None:
    from launch.actions import DeclareLaunchArgument

    entities = launch_file.generate_launch_description().entities
    declared = [entity for entity in entities if isinstance(entity, DeclareLaunchArgument)]
    assert [argument.name for argument in declared] == list(load_graph().arguments)
    assert all(argument.description for argument in declared)
