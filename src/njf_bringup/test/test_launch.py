"""The launch files: valid everywhere, the graph of `njf up` where launch_ros is installed."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import importlib.util
import py_compile
from pathlib import Path
from types import ModuleType

import pytest

from njf_bringup.graph import Value, load_graph
from njf_bringup.paths import root
from njf_bringup.resolve import resolve
from njf_perception.errors import ConfigError

FILES = sorted((root() / "launch").glob("*.launch.py"))
WHOLE = root() / "launch" / "njf.launch.py"
OF_ROS2_BAG = [root() / "launch" / name for name in ("record.launch.py", "replay.launch.py")]
GROUPS = {
    file.name.removesuffix(".launch.py"): file
    for file in FILES
    if file not in (WHOLE, *OF_ROS2_BAG)
}
OPTIONS: list[dict[str, Value]] = [
    {},
    {"task": "explore", "record": "stills", "cameras": "all"},
    {"sim": False, "task": "none"},
    {"task": "replay", "play_bag": "bag"},
    {"robot": "allegro", "rviz": True, "foxglove": True},
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_compiles(file: Path, tmp_path: Path) -> None:
    py_compile.compile(str(file), cfile=str(tmp_path / "out.pyc"), doraise=True)


def test_every_group_of_nodes_has_a_file_and_the_whole_includes_them() -> None:
    assert {node.group for node in load_graph().nodes} == set(GROUPS)
    text = WHOLE.read_text()
    assert all(f'"{file.name}"' in text for file in GROUPS.values())


def load(file: Path) -> ModuleType:
    """A launch file as a module, as `ros2 launch` loads it."""
    pytest.importorskip("launch_ros", reason="launch_ros has no wheel; a ROS installation has it")
    spec = importlib.util.spec_from_file_location("a_launch_file", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("group", GROUPS)
def test_launches_the_nodes_of_its_group(group: str, options: dict[str, Value]) -> None:
    description = load(GROUPS[group]).generate_launch_description()
    from launch import LaunchContext
    from launch_ros.actions import LifecycleNode, Node

    context = LaunchContext()
    context.launch_configurations.update({k: str(v).lower() for k, v in options.items()})
    launched = []
    for entity in description.entities:
        for action in entity.visit(context) or []:
            if isinstance(action, Node):
                managed = isinstance(action, LifecycleNode)
                launched.append((action.node_package, action.node_executable, managed))
    expected = [
        (node.package, node.executable, node.lifecycle)
        for node in resolve(load_graph(), options).in_groups(group).nodes
    ]
    assert launched == expected


def test_several_cameras_are_not_launched_on_one_device() -> None:
    description = load(GROUPS["cameras"]).generate_launch_description()
    from launch import LaunchContext

    context = LaunchContext()
    context.launch_configurations.update({"sim": "false", "cameras": "all"})
    with pytest.raises(ConfigError, match="params_file:=camera.yaml"):
        for entity in description.entities:
            entity.visit(context)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_argument_is_described(file: Path) -> None:
    entities = load(file).generate_launch_description().entities
    from launch.actions import DeclareLaunchArgument

    declared = [entity for entity in entities if isinstance(entity, DeclareLaunchArgument)]
    assert [argument.name for argument in declared] == list(load_graph().arguments)
    assert all(argument.description for argument in declared)
