"""Runs a resolved graph in the foreground until it ends, is interrupted or a node dies."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from njf_bringup.domain import take_free_domain
from njf_bringup.graph import ResolvedGraph, Value, load_graph
from njf_bringup.process import environment_defaults
from njf_bringup.resolve import resolve
from njf_bringup.supervisor import Supervisor, interruptible


def resolve_options(**options: Value | Path | None) -> ResolvedGraph:
    """The graph for command-line options; None stands for the graph's default.

    Raises:
        ConfigError: see `njf_bringup.resolve.resolve`.
    """
    given = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in options.items()
        if value is not None
    }
    return resolve(load_graph(), given)


def join_graph(graph: ResolvedGraph) -> None:
    """Give this process the environment of the graph's nodes, before it imports ROS."""
    os.environ.update(environment_defaults(graph.run_dir))


@contextmanager
def running(graph: ResolvedGraph, patience: float = 1.0) -> Iterator[Supervisor]:
    """All nodes of `graph` up and active; all ended at the end, with `patience` times 4 s for it.

    Raises:
        ConfigError: several cameras and no file of their devices; nothing has been started.
        NodeDiedError, StartupError, StoppedError: and everything has been stopped.
    """
    graph.require_camera_devices()
    join_graph(graph)
    from njf_bringup.nodes.lifecycle import RosLifecycle

    names = ", ".join(node.name for node in graph.nodes)
    print(f"starting {names} (logs: {graph.run_dir}/logs)", flush=True)
    with interruptible(), Supervisor(graph, RosLifecycle, patience=patience) as supervisor:
        yield supervisor


def use_private_domain() -> None:
    """Keep a run to itself: a ROS domain of its own, unless the user has chosen one."""
    if "ROS_DOMAIN_ID" not in os.environ:
        os.environ["ROS_DOMAIN_ID"] = str(take_free_domain())
        print(f"ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']} (set it to choose another)")
