"""`njf ...` as its own command line reads it, up to the point where the verb would start."""

import copy
import inspect
from typing import Annotated, Any, get_args

import typer
from typer.testing import CliRunner

from documented.shell import PLACEHOLDER
from documented.wrong import WrongError
from njf_bringup.cli import app
from njf_bringup.paths import robot_file
from njf_bringup.up import resolve_options
from njf_perception.errors import NjfError


def _verbs(of: typer.Typer, group: str = "") -> dict[str, Any]:
    """The function of every verb; those of a group with its name before."""
    found = {f"{group}{command.name}": command.callback for command in of.registered_commands}
    for inner in of.registered_groups:
        assert inner.typer_instance is not None
        found |= _verbs(inner.typer_instance, f"{inner.name} ")
    return found


VERBS = _verbs(app)
_RECORDED = {"import-njf"}  # its robots are those of the published folders


def check(words: list[str], whole: bool) -> str:
    """Parse `njf <words>`; returns the verb.

    Raises:
        WrongError: no such verb, option, value or robot; or, if `whole`, something is missing.
    """
    verb, options = split(words)
    if verb == "--help" or (not whole and any(name.startswith(f"{verb} ") for name in VERBS)):
        return verb
    if verb not in VERBS:
        raise WrongError(f"njf has no verb '{verb}'; it has {', '.join(VERBS)}")
    values = parsed(verb, options, whole)
    try:
        robot = str(values.get("robot", "finger"))
        if not _stands_for_another(robot) and verb not in _RECORDED:
            robot_file(robot)
            if verb == "up":
                resolve_options(**values)
    except NjfError as error:
        raise WrongError(str(error)) from None
    return verb


def split(words: list[str]) -> tuple[str, list[str]]:
    """The verb, of one word or two, and what follows it."""
    count = 2 if " ".join(words[:2]) in VERBS else 1
    return " ".join(words[:count]), words[count:]


def parsed(verb: str, words: list[str], whole: bool) -> dict[str, Any]:
    """Values of the verb's parameters, without running it."""
    values: dict[str, Any] = {}
    quiet = typer.Typer()
    quiet.command(verb)(_only_noting(VERBS[verb], values, whole))
    texts = [_some_value(word, before) for before, word in zip(["", *words], words, strict=False)]
    answer = CliRunner().invoke(quiet, texts)
    if answer.exit_code:
        said = " ".join(answer.output.replace("│", " ").split())
        raise WrongError(
            said.partition(" Error ")[2].strip(" ─╮╯╰") or said or str(answer.exception)
        )
    return values


def _only_noting(verb: Any, values: dict[str, Any], whole: bool) -> Any:
    """A function of the same parameters that notes them; a reader's files need not exist here."""

    def note(**given: Any) -> None:
        values.update(given)

    parameters = [
        _parameter(parameter, whole)
        for parameter in inspect.signature(verb, eval_str=True).parameters.values()
    ]
    note.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    note.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return note


def _parameter(parameter: inspect.Parameter, whole: bool) -> inspect.Parameter:
    kind, info = get_args(parameter.annotation)
    info = copy.copy(info)
    info.exists = False
    if whole or parameter.default is not inspect.Parameter.empty:
        return parameter.replace(annotation=Annotated[kind, info])
    return parameter.replace(annotation=Annotated[kind | None, info], default=None)


def _some_value(word: str, before: str) -> str:
    """A number for a placeholder, which is also a path; but no robot's name."""
    return "1" if word.startswith(PLACEHOLDER) and before != "--robot" else word


def _stands_for_another(robot: str) -> bool:
    """A name that the reader replaces by their own."""
    return robot.startswith(("my_", PLACEHOLDER))
