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

VERBS = {str(command.name): command.callback for command in app.registered_commands}
_RECORDED = {"import-njf"}  # its robots are those of the published folders


def check(words: list[str], whole: bool) -> str:
    """Parse `njf <words>`; returns the verb.

    Raises:
        WrongError: no such verb, option, value or robot; or, if `whole`, something is missing.
    """
    verb = words[0] if words else ""
    if verb == "--help":
        return verb
    if verb not in VERBS:
        raise WrongError(f"njf has no verb '{verb}'; it has {', '.join(VERBS)}")
    values = parsed(verb, words[1:], whole)
    try:
        robot = str(values.get("robot", "finger"))
        if not _stands_for_another(robot) and verb not in _RECORDED:
            robot_file(robot)
            if verb == "up":
                resolve_options(**values)
    except NjfError as error:
        raise WrongError(str(error)) from None
    return verb


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
