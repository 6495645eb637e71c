"""The page: commands, launch arguments, nodes and messages as Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from njf_bringup.graph import Graph
from njf_bringup.reference.inspect import NodeFacts, ParameterFacts

_HEAD = """# Reference

Written by `scripts/reference.py` from the running program: do not edit. A test compares.
Names of topics are relative to the namespace; `camera_0` stands for any camera's name. Parameters
have the values that they have with the simulated finger and no other arguments. The keys of a
robot's file are in [adding_a_robot.md](adding_a_robot.md), those of a training in
[training.md](training.md).
"""
_ARGUMENTS = """## Launch arguments

`ros2 launch njf_bringup njf.launch.py <name>:=<value>`; `--show-args` prints this list.
"""
_KINDS = {".msg", ".srv", ".action"}


def page(app: typer.Typer, graph: Graph, nodes: Sequence[NodeFacts], messages: Path) -> str:
    """All of it.

    Args:
        app: the command line.
        graph: config/graph.yaml.
        nodes: facts of every node, from running ones.
        messages: folder of the package njf_msgs.
    """
    parts = [
        _HEAD,
        _commands(app),
        _arguments(graph),
        "## Nodes\n",
        *map(_node, nodes),
        "## Messages, services, actions\n",
        *(_interface(path) for path in sorted(messages.glob("*/*.*")) if path.suffix in _KINDS),
    ]
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines) + "\n"
    )


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _commands(app: typer.Typer) -> str:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return "\n".join(["## Commands\n", *_verbs(group, "njf")])


def _verbs(group: TyperGroup, called: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _verbs(command, f"{called} {name}")
            continue
        yield f"### {called} {name}\n"
        yield f"{_cell(command.help or '')}\n"
        rows = [_option(p) for p in command.params if isinstance(p, TyperArgument | TyperOption)]
        if rows:
            yield _table(["option", "default", ""], rows)


def _option(option: TyperArgument | TyperOption) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    if isinstance(option, TyperArgument):
        names = f"`<{option.name}>`"
    default = "" if option.default in (None, "") or callable(option.default) else option.default
    return names, f"`{_plain(default)}`" if default != "" else "", option.help or ""


def _arguments(graph: Graph) -> str:
    rows = [
        (
            f"`{name}`",
            f"`{_plain(argument.default)}`" if argument.default != "" else "",
            argument.description,
        )
        for name, argument in graph.arguments.items()
    ]
    return _ARGUMENTS + "\n" + _table(["argument", "default", ""], rows)


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _node(facts: NodeFacts) -> str:
    parts = [f"### {facts.name}\n", f"`{facts.package}`, `{facts.executable}`. {facts.summary}\n"]
    for title, topics in (
        ("publishes", facts.publishes),
        ("subscribes to", facts.subscribes),
        ("serves", facts.serves),
    ):
        if topics:
            parts.append(_table([title, "type"], [(f"`{n}`", f"`{t}`") for n, t in topics]))
    if facts.parameters:
        rows = [_parameter(parameter) for parameter in facts.parameters]
        parts.append(_table(["parameter", "value", "range", ""], rows))
    return "\n".join(parts)


def _parameter(parameter: ParameterFacts) -> tuple[str, str, str, str]:
    default = "" if parameter.default in ("", None) else f"`{_plain(parameter.default)}`"
    return f"`{parameter.name}`", default, parameter.range, parameter.description


def _interface(path: Path) -> str:
    return f"### {path.stem}.{path.suffix[1:]}\n\n```\n{path.read_text().rstrip()}\n```\n"
