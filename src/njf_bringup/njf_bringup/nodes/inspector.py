"""Asks running nodes what they offer: topics and services from the graph, parameters from them."""

import importlib
import time
from collections.abc import Callable
from typing import Any

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.parameter import parameter_value_to_python

from njf_bringup.graph import NodeSpec
from njf_bringup.reference.inspect import NodeFacts, ParameterFacts
from njf_perception.nodes.services import call

_PATIENCE_S = 30.0
_SETTLED_S = 1.0  # the graph is known when nothing new appeared for so long
# What every node has.
_COMMON_TOPICS = {"/rosout", "/parameter_events", "/clock"}
_COMMON_SERVICES = (
    "describe_parameters", "get_parameter_types", "get_parameters", "list_parameters",
    "set_parameters", "set_parameters_atomically", "get_type_description", "change_state",
    "get_state", "get_available_states", "get_available_transitions", "get_transition_graph",
)  # fmt: skip
_COMMON_PARAMETERS = ("use_sim_time", "start_type_description_service")


class Inspector:
    """A node that looks at others, in a ROS context of its own; a context manager."""

    def __init__(self) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("inspector", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def __enter__(self) -> "Inspector":
        """Join the graph."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it."""
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def look(self, spec: NodeSpec) -> NodeFacts:
        """All that a running node offers."""
        name, namespace = spec.full_name.rsplit("/", 1)[1], spec.full_name.rsplit("/", 1)[0] or "/"
        ask = (name, namespace)
        topics = self._steady(lambda: self._node.get_publisher_names_and_types_by_node(*ask))
        subscribed = _known(self._node.get_subscriber_names_and_types_by_node(*ask))
        services = self._node.get_service_names_and_types_by_node(*ask)
        summary = (importlib.import_module(spec.module).__doc__ or "").split("\n\n")[0]
        return NodeFacts(
            name=spec.name,
            package=spec.package,
            executable=spec.executable,
            summary=" ".join(summary.split()),
            publishes=_known(topics),
            subscribes=subscribed,
            serves=_served(services),
            parameters=self._parameters(spec.full_name),
        )

    def _steady(self, read: Callable[[], list[Any]]) -> list[Any]:
        """What `read` says once it has said the same for a while."""
        seen: list[Any] = []
        begin_s = since_s = time.monotonic()
        while not seen or time.monotonic() - since_s < _SETTLED_S:
            self._executor.spin_once(0.1)
            try:
                now = read()
            except rclpy_implementation.NodeNameNonExistentError:  # not heard of yet
                now = []
            if now != seen:
                seen, since_s = now, time.monotonic()
            if time.monotonic() - begin_s > _PATIENCE_S:
                break
        return seen

    def _parameters(self, node: str) -> list[ParameterFacts]:
        names = self._call(ListParameters, f"{node}/list_parameters", ListParameters.Request())
        wanted = [n for n in names.result.names if n not in _COMMON_PARAMETERS]
        wanted = [n for n in wanted if not n.startswith("qos_overrides")]
        described = self._call(
            DescribeParameters,
            f"{node}/describe_parameters",
            DescribeParameters.Request(names=wanted),
        )
        values = self._call(
            GetParameters, f"{node}/get_parameters", GetParameters.Request(names=wanted)
        )
        return [
            ParameterFacts(d.name, parameter_value_to_python(v), _range(d), d.description)
            for d, v in zip(described.descriptors, values.values, strict=True)
        ]

    def _call(self, kind: Any, name: str, request: Any) -> Any:
        client = self._node.create_client(kind, name)
        try:
            return call(client, request, self._executor.spin_once, _PATIENCE_S, repeat=True)
        finally:
            self._node.destroy_client(client)


def _known(topics: list[tuple[str, list[str]]]) -> list[tuple[str, str]]:
    """Names without the leading slash; without those that every node and every action has."""
    return [
        (name.lstrip("/"), types[0])
        for name, types in sorted(topics)
        if name not in _COMMON_TOPICS and "/_action/" not in name and "transition_event" not in name
    ]


def _served(services: list[tuple[str, list[str]]]) -> list[tuple[str, str]]:
    """Services of its own, and actions under their own name."""
    served = []
    for name, types in sorted(services):
        action, _, part = name.partition("/_action/")
        if part == "send_goal":
            served.append((action.lstrip("/"), types[0].removesuffix("_SendGoal")))
        elif not part and name.rsplit("/", 1)[1] not in _COMMON_SERVICES:
            served.append((name.lstrip("/"), types[0]))
    return served


def _range(descriptor: ParameterDescriptor) -> str:
    for bounds in (*descriptor.floating_point_range, *descriptor.integer_range):
        return f"{bounds.from_value:g} to {bounds.to_value:g}"
    return ""
