"""`ros2 ...` against the launch files, the graph's arguments and docs/reference.md."""

import re

from documented import facts
from documented.markdown import ROOT
from documented.shell import PLACEHOLDER
from documented.wrong import WrongError
from njf_bringup.graph import load_graph
from njf_bringup.resolve import parse_arguments, resolve
from njf_perception.errors import NjfError

TRANSITIONS = {"configure", "activate", "deactivate", "cleanup", "shutdown"}
OTHERS = {"topic list", "node list", "control", "bag"}  # say nothing of this project's names


def check(words: list[str]) -> None:
    """Judge `ros2 <words>`.

    Raises:
        WrongError: an unknown launch file, argument, topic, node, parameter or service.
    """
    verb, rest = words[0], words[1:]
    if verb in OTHERS or " ".join(words[:2]) in OTHERS:
        return
    if verb == "launch":
        _launch(rest)
    elif verb == "run":
        run(rest[0], rest[1], rest[2:])
    elif verb in ("topic", "lifecycle", "param", "service", "action") and len(rest) >= 2:
        _NAMED[verb](rest[1], rest[2:])
    elif len(words) > 1 and not (verb == "param" and len(rest) == 1):
        raise WrongError(f"'ros2 {verb}' is not known to this test")


def _launch(words: list[str]) -> None:
    package, file, arguments = words[0], words[1], words[2:]
    if package != "njf_bringup" or not (ROOT / "launch" / file).is_file():
        raise WrongError(f"there is no launch file {package} {file}")
    graph, texts = load_graph(), dict(a.split(":=", 1) for a in arguments if ":=" in a)
    known = {n: t for n, t in texts.items() if PLACEHOLDER not in n + t and t[:3] != "my_"}
    for name in known.keys() - graph.arguments.keys():
        raise WrongError(f"no launch argument '{name}'; there are {', '.join(graph.arguments)}")
    try:
        resolve(graph, parse_arguments(graph, known))
    except NjfError as error:
        raise WrongError(str(error)) from None


def run(package: str, executable: str, words: list[str]) -> None:
    """A node by its package and executable, with `-p name:=value`."""
    if not package.startswith("njf_"):
        return
    rows = [n for n in facts.nodes().values() if (n.package, n.executable) == (package, executable)]
    if not rows:
        raise WrongError(f"docs/reference.md has no node {package} {executable}")
    for name in re.findall(r"(?:^| )-p (\w+):=", " ".join(words)):
        _parameter_of(rows[0], executable, name)


def _parameter_of(node: facts.NodeRows, called: str, name: str) -> None:
    if name not in node.parameter:
        raise WrongError(f"{called} has no parameter '{name}'; it has {', '.join(node.parameter)}")


def _topic(name: str, _: list[str]) -> None:
    if facts.one_camera(name) not in facts.topics():
        raise WrongError(f"no node of docs/reference.md has the topic {name}")


def _node(name: str) -> facts.NodeRows:
    nodes = facts.nodes()
    if facts.one_camera(name) not in nodes:
        raise WrongError(f"no node {name}; there are {', '.join(nodes)}")
    return nodes[facts.one_camera(name)]


def _lifecycle(name: str, words: list[str]) -> None:
    _node(name)
    if words and words[0] not in TRANSITIONS:
        raise WrongError(f"no transition '{words[0]}'; there are {', '.join(sorted(TRANSITIONS))}")


def _param(name: str, words: list[str]) -> None:
    node = _node(name)
    if words:
        _parameter_of(node, name, words[0])


def _service(name: str, words: list[str]) -> None:
    served = facts.services()
    if name.removeprefix("/") not in served:
        raise WrongError(f"no service or action {name}; there are {', '.join(served)}")
    kind = served[name.removeprefix("/")]
    if words and words[0] != kind:
        raise WrongError(f"{name} is a {kind}, not a {words[0]}")


_NAMED = {
    "topic": _topic,
    "lifecycle": _lifecycle,
    "param": _param,
    "service": _service,
    "action": _service,
}
