"""Launch actions around `ros2 bag`; see `ros2_bag` for what they run."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from dataclasses import replace
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import ExecuteProcess, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch_ros.event_handlers import OnStateTransition

from njf_bringup.graph import Graph, load_graph
from njf_bringup.launch_actions import (
    declare_arguments,
    end_with_it,
    launch_nodes,
    resolved_graph,
)
from njf_bringup.ros2_bag import play_command, record_command, write_qos

PLAYER, LAST_TO_LISTEN = "player", "shadow"


def describe_recording() -> LaunchDescription:
    """`ros2 bag record` of a running graph; every argument is declared."""
    graph = load_graph()
    action = OpaqueFunction(function=_record, args=[graph])
    return LaunchDescription([*declare_arguments(graph), action])


def describe_replay() -> LaunchDescription:
    """Model and solver with `ros2 bag play --clock`; every argument is declared."""
    graph = load_graph()
    action = OpaqueFunction(function=_replay, args=[graph])
    return LaunchDescription([*declare_arguments(graph), action])


def _record(context: LaunchContext, graph: Graph) -> list:
    resolved = resolved_graph(context, graph)
    given = resolved.arguments
    transport, namespace = str(given["image_transport"]), str(given["namespace"])
    qos = resolved.run_dir / "recording_qos.yaml"
    write_qos(qos, resolved.robot, transport, namespace)
    command = record_command(resolved.robot, Path(str(given["bag"])), transport, namespace, qos)
    return [ExecuteProcess(cmd=command, output="screen", sigterm_timeout="30")]


def _replay(context: LaunchContext, graph: Graph) -> list:
    context.launch_configurations["task"] = "replay"
    resolved = resolved_graph(context, graph)
    given = resolved.arguments
    bag, rate = Path(str(given["play_bag"])), float(str(given["play_rate"]))
    command = play_command(resolved.robot, bag, rate, str(given["namespace"]))
    play = ExecuteProcess(cmd=command, output="screen")
    nodes = [node for node in resolved.nodes if node.name != PLAYER]
    actions, by_name = launch_nodes(replace(resolved, nodes=nodes))
    listening = OnStateTransition(
        target_lifecycle_node=by_name[LAST_TO_LISTEN], goal_state="active", entities=[play]
    )
    over = OnProcessExit(target_action=play, on_exit=end_with_it)
    return [RegisterEventHandler(listening), RegisterEventHandler(over), *actions]
