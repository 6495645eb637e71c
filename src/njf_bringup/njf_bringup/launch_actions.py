"""The node graph of config/graph.yaml as launch actions; the files of launch/ are made of these.

The nodes depend on the robot's file, so they are made when the arguments are known: hence the one
OpaqueFunction. Lifecycle nodes are configured and activated once the simulated robot's port exists.
Needs `launch` and `launch_ros` of a ROS installation; nothing else of this package imports it.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, LifecycleTransition, Node
from lifecycle_msgs.msg import Transition

from njf_bringup.graph import Argument, Graph, NodeSpec, ResolvedGraph, load_graph
from njf_bringup.paths import robot_names, root
from njf_bringup.process import environment_defaults
from njf_bringup.resolve import parse_arguments, resolve

READY_TIMEOUT_S = 60


def describe(*groups: str) -> LaunchDescription:
    """The nodes of some groups of the graph; every argument is declared."""
    graph = load_graph()
    return LaunchDescription(
        [*declare_arguments(graph), OpaqueFunction(function=_actions, args=[graph, groups])]
    )


def include(*files: str) -> LaunchDescription:
    """Other files of launch/, with the arguments that this one was given."""
    folder = root() / "launch"
    sources = [PythonLaunchDescriptionSource(str(folder / file)) for file in files]
    arguments = declare_arguments(load_graph())
    return LaunchDescription([*arguments, *map(IncludeLaunchDescription, sources)])


def declare_arguments(graph: Graph) -> list[DeclareLaunchArgument]:
    """The arguments of the graph, described."""
    return [_declare(name, argument) for name, argument in graph.arguments.items()]


def _declare(name: str, argument: Argument) -> DeclareLaunchArgument:
    default, description = str(argument.default), argument.description
    choices = argument.choices or None
    if name == "robot":  # no choices: a path will do as well
        description += f"; there are {', '.join(robot_names())}"
    elif isinstance(argument.default, bool):
        default, choices = default.lower(), ["true", "false"]
    return DeclareLaunchArgument(
        name, default_value=default, description=description, choices=choices
    )


def _actions(context: LaunchContext, graph: Graph, groups: tuple[str, ...]) -> list:
    return launch_nodes(resolved_graph(context, graph).in_groups(*groups))[0]


def resolved_graph(context: LaunchContext, graph: Graph) -> ResolvedGraph:
    """The nodes of the graph with the launch's arguments."""
    texts = {name: LaunchConfiguration(name).perform(context) for name in graph.arguments}
    return resolve(graph, parse_arguments(graph, texts))


def launch_nodes(resolved: ResolvedGraph) -> tuple[list, dict[str, Node]]:
    """What starts all nodes, brings them up and ends with them; and the nodes by their names.

    Raises:
        ConfigError: several cameras and no file of their devices.
    """
    resolved.require_camera_devices()
    actions = [
        SetEnvironmentVariable(name, value)
        for name, value in environment_defaults(resolved.run_dir).items()
    ]
    nodes = [_node(spec, resolved) for spec in resolved.nodes]
    actions += nodes
    actions += [
        RegisterEventHandler(OnProcessExit(target_action=node, on_exit=end_with_it))
        for spec, node in zip(resolved.nodes, nodes, strict=True)
        if not spec.external  # a viewer may be closed
    ]
    if resolved.arguments["autostart"]:
        actions += _bring_up(resolved.nodes)
    return actions, dict(zip((spec.name for spec in resolved.nodes), nodes, strict=True))


def end_with_it(event: ProcessExited, context: LaunchContext) -> list | None:
    """A node that ends ends the launch; once, for launch_ros cannot be shut down twice."""
    if context.is_shutdown:
        return None
    return [EmitEvent(event=Shutdown(reason=f"{event.process_name} ended"))]


def _node(spec: NodeSpec, resolved: ResolvedGraph) -> Node:
    kind = LifecycleNode if spec.lifecycle else Node
    override = resolved.arguments["params_file"]  # after the node's own parameters: the last wins
    return kind(
        package=spec.package,
        executable=spec.executable,
        name=spec.name,
        namespace=spec.namespace,
        parameters=[spec.parameters, *([override] if override else [])],
        remappings=list(spec.remappings.items()),
        arguments=list(spec.arguments),
        ros_arguments=["--log-level", str(resolved.arguments["log_level"])],
        output="screen",
        prefix=f"nice -n {spec.niceness}" if spec.niceness else None,
        respawn=False,  # a driver that restarts by itself moves by itself
    )


def _bring_up(specs: list[NodeSpec]) -> list:
    """Wait for the ports, then configure and activate."""
    names = [spec.full_name for spec in specs if spec.lifecycle]
    if not names:
        return []
    transition = LifecycleTransition(
        lifecycle_node_names=names,
        transition_ids=[Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE],
    )
    paths = [spec.ready_path for spec in specs if spec.ready_path]
    if not paths:
        return [transition]
    for path in paths:
        Path(path).unlink(missing_ok=True)  # of an earlier run
    test = " && ".join(f"test -L '{path}'" for path in paths)  # it may point at an address
    wait = ExecuteProcess(
        cmd=["timeout", str(READY_TIMEOUT_S), "sh", "-c", f"until {test}; do sleep 0.1; done"],
        name="wait_until_ready",
    )
    then = RegisterEventHandler(OnProcessExit(target_action=wait, on_exit=[transition]))
    return [LogInfo(msg=f"waiting for {', '.join(paths)}"), then, wait]
