"""From the graph description and a set of arguments to the nodes of one run."""

import re
from collections.abc import Mapping
from pathlib import Path

from njf_bringup.graph import Argument, Graph, NodeDescription, NodeSpec, ResolvedGraph, Value
from njf_bringup.paths import robot_file, robot_name, root
from njf_control.robot import RobotConfig, load_robot
from njf_perception.errors import ConfigError

_SUBSTITUTION = re.compile(r"\$\{(\w*)\}")


def resolve(graph: Graph, options: Mapping[str, Value]) -> ResolvedGraph:
    """The nodes to start when `options` override the defaults of the graph's arguments.

    Paths are made absolute: checkpoints against the source tree, outputs against the present
    folder.

    Raises:
        ConfigError: an unknown argument, a value of the wrong type or outside its choices, an
            unknown robot or an unknown ${name}; the message lists what is valid. Or a robot that
            exists only in the simulation, without it; or one that does not exist there, in it.
    """
    arguments = _arguments(graph, options)
    path = robot_file(str(arguments["robot"]))
    robot = load_robot(path)
    is_replay = arguments["task"] == "replay"
    if robot.driver.kind == "simulated" and not arguments["sim"] and not is_replay:
        raise ConfigError(
            f"robot '{robot.name}' exists only in the simulation (its driver.kind is simulated). "
            "Run it with --sim, or sim:=true."
        )
    if not robot.simulation.mjcf and arguments["sim"]:
        raise ConfigError(
            f"robot '{robot.name}' exists only as hardware (its file has no simulation.mjcf). Run "
            "it with --hardware, or sim:=false."
        )
    values = arguments | _from_robot(robot, path, arguments)
    nodes = []
    for node in graph.nodes:
        wanted = all(arguments[name] in choices for name, choices in node.when.items())
        if wanted and (not node.needs or arguments[node.needs] != ""):
            nodes += _copies(node, values, robot)
    return ResolvedGraph(nodes, arguments, robot)


def _arguments(graph: Graph, options: Mapping[str, Value]) -> dict[str, Value]:
    unknown = sorted(set(options) - set(graph.arguments))
    if unknown:
        known = ", ".join(graph.arguments)
        raise ConfigError(f"unknown argument '{unknown[0]}'; arguments: {known}.")
    values: dict[str, Value] = {name: a.default for name, a in graph.arguments.items()}
    for name, value in options.items():
        values[name] = _checked(name, graph.arguments[name], value)
    named = values | {"robot": robot_name(str(values["robot"]))}
    for name in ("run_dir", "checkpoint", "bag"):
        named[name] = values[name] = substitute(str(values[name]), named)
    if values["task"] == "replay":
        values |= _of_replay(str(values["play_bag"]))
    values["run_dir"] = str(Path(str(values["run_dir"])).absolute())
    values["bag"] = str(Path(str(values["bag"])).absolute())
    if values["camera_poses"]:
        values["camera_poses"] = str(Path(str(values["camera_poses"])).absolute())
    values["checkpoint"] = _checkpoint(str(values["checkpoint"]))
    if values["use_sim_time"] and values["sim"]:
        raise ConfigError(
            "use_sim_time needs somebody who publishes /clock; the simulator runs on the wall "
            "clock. Use it without the simulation, with a bag that is played with --clock."
        )
    return values


def _of_replay(bag: str) -> dict[str, Value]:
    """What follows from a replay: no robot, and the recording's time."""
    if not bag:
        raise ConfigError("task replay plays a recording; name it with play_bag.")
    return {"play_bag": str(Path(bag).absolute()), "sim": False, "use_sim_time": True}


def _checked(name: str, argument: Argument, value: Value) -> Value:
    expected = type(argument.default)
    if type(value) is not expected:
        raise ConfigError(
            f"argument '{name}' must be {expected.__name__}, got {type(value).__name__} {value!r}."
        )
    if argument.choices and value not in argument.choices:
        raise ConfigError(
            f"argument '{name}' is {value!r}; valid values: {', '.join(argument.choices)}."
        )
    return value


def _checkpoint(path: str) -> str:
    """A path the user gave is relative to here; the default lies in the source tree."""
    here = Path(path).absolute()
    return str(here if here.exists() else root() / path)


def _from_robot(robot: RobotConfig, path: Path, arguments: Mapping[str, Value]) -> dict[str, Value]:
    control = robot.control_camera.name
    return {
        "robot_file": str(path),
        "control_camera": control,
        "camera_names": robot.camera_names if arguments["cameras"] == "all" else [control],
        "servo_port": f"{arguments['run_dir']}/servo_port" if arguments["sim"] else "",
        "config_dir": str(root() / "config"),
    }


def _copies(node: NodeDescription, values: dict[str, Value], robot: RobotConfig) -> list[NodeSpec]:
    if not node.for_each_camera:
        return [_spec(node, values)]
    return [
        _spec(node, values | {"camera": c.name, "camera_width": c.width, "camera_height": c.height})
        for c in robot.cameras
        if values["cameras"] == "all" or c.role == "control"
    ]


def _spec(node: NodeDescription, values: Mapping[str, Value]) -> NodeSpec:
    parameters: dict[str, Value] = {}
    for name, raw in node.parameters.items():
        value = substitute(raw, values) if isinstance(raw, str) else raw
        if value != "":
            parameters[name] = value
    if values["use_sim_time"]:
        parameters["use_sim_time"] = True
    return NodeSpec(
        name=str(substitute(node.name, values)),
        package=node.package,
        executable=node.executable,
        namespace=str(values["namespace"]),
        group=node.group,
        parameters=parameters,
        remappings=node.remappings,
        lifecycle=node.lifecycle,
        stops_first=node.stops_first,
        ends_run=node.ends_run,
        external=node.external,
        on_terminal=node.on_terminal,
        niceness=node.niceness,
        ready_path=str(substitute(node.ready_path, values)),
        arguments=tuple(str(substitute(text, values)) for text in node.arguments),
    )


def substitute(text: str, values: Mapping[str, Value]) -> Value:
    """Replace ${name} by its value; a text that is one ${name} alone takes the value's type.

    Raises:
        ConfigError: an unknown name; the message lists the known ones.
    """

    def lookup(match: re.Match[str]) -> Value:
        name = match.group(1)
        if name not in values:
            raise ConfigError(f"unknown ${{{name}}} in '{text}'; known: {', '.join(values)}.")
        return values[name]

    whole = _SUBSTITUTION.fullmatch(text)
    if whole:
        return lookup(whole)
    return _SUBSTITUTION.sub(lambda match: str(lookup(match)), text)


def parse_arguments(graph: Graph, texts: Mapping[str, str]) -> dict[str, Value]:
    """Arguments given as text (by a launch file) with the types of the graph's defaults.

    Raises:
        ConfigError: a text that is no value of that type.
    """
    return {name: _parsed(name, graph.arguments[name], text) for name, text in texts.items()}


def _parsed(name: str, argument: Argument, text: str) -> Value:
    if isinstance(argument.default, bool):
        if text.lower() not in ("true", "false"):
            raise ConfigError(f"argument '{name}' is {text!r}; valid values: true, false.")
        return text.lower() == "true"
    try:
        return type(argument.default)(text)
    except ValueError:
        expected = type(argument.default).__name__
        raise ConfigError(f"argument '{name}' must be {expected}, got {text!r}.") from None
