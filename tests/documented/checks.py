"""Is a documented command one that this program knows? Nothing is started here."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Set
from functools import cache
from pathlib import Path

import yaml

from documented import njf, ros
from documented.markdown import ROOT, Block, place, spans
from documented.shell import commands
from documented.wrong import WrongError

NEEDS = {"ROS", "hardware", "docker", "network", "GPU"}
BUILT_IN = {".", "cd", "export"}
BIN = Path(sys.executable).parent  # what `make setup` installs
INLINE = re.compile(r"(njf|make|ros2|torchrun|python3?) |docker compose ")
_ASSIGNED = re.compile(r"(\w+)=\S*")


def problems_of_block(block: Block) -> list[str]:
    """Sentences, each with file and line, about the commands of a block."""
    where = place(block.path, block.line)
    for need in sorted(block.needs - NEEDS):
        return [f"{where}: nothing is called '{need}'; a block needs {', '.join(sorted(NEEDS))}"]
    found = []
    for line, words in commands(block.text):
        reason = problem(words, block.needs)
        if reason:
            found.append(f"{place(block.path, block.line + line)}: `{' '.join(words)}`: {reason}")
    return found


def problems_of_spans(path: Path) -> list[str]:
    """The same of a page's inline commands, which may leave out what is required."""
    found = []
    for line, text in spans(path):
        for _, words in commands(re.sub(r"[\[\]]", "", text)) if INLINE.match(text) else []:
            reason = problem(words, NEEDS, whole=False)
            if reason:
                found.append(f"{place(path, line)}: `{text}`: {reason}")
    return found


def problem(words: list[str], needs: Set[str], whole: bool = True) -> str | None:
    """One sentence about what is wrong, or nothing.

    Args:
        words: the command; assignments of environment variables may come first.
        needs: what is marked as needed beside a checkout. It never excuses a command of our own.
        whole: everything that the command requires must be there.
    """
    while words and _ASSIGNED.fullmatch(words[0]):
        words = words[1:]
    if not words or words[0] in BUILT_IN:
        return None
    try:
        _check(words[0], words[1:], needs, whole)
    except WrongError as error:
        return str(error)
    return None


def _check(program: str, words: list[str], needs: Set[str], whole: bool) -> None:
    if program == "njf":
        njf.check(words, whole)
    elif program == "make":
        _make(words)
    elif program in ("python", "python3"):
        _python(words, needs)
    elif program == "torchrun" and "-m" in words:
        _python(words[words.index("-m") :], needs)
    elif program == "cp":
        _options([], ROOT / words[0])
    elif not needs and not (BIN / program).exists():
        raise WrongError(
            f"'{program}' does not come with `make setup`. Write above the block what it needs, "
            "such as <!-- needs: hardware -->"
        )
    elif program == "ros2":
        ros.check(words)
    elif program == "docker" and words[0] == "compose":
        _compose(words[1:])


def _make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for name in [match[1] for word in words if (match := _ASSIGNED.fullmatch(word))]:
        if not re.search(rf"^{name} \?=", makefile, re.MULTILINE):
            raise WrongError(f"the Makefile has no variable {name}")
    plain = [re.sub(r"PLACEHOLDER_\w+", "finger", word) for word in words]
    done = subprocess.run(["make", "-n", *plain], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise WrongError(done.stderr.strip())
    for line in done.stdout.splitlines():
        for _, recipe in commands(line):
            if recipe[0].endswith("/njf"):
                njf.check(recipe[1:], whole=True)


def _python(words: list[str], needs: Set[str]) -> None:
    if words[0] != "-m":
        _options(words[1:], ROOT / words[0])
    elif words[1].startswith("njf_"):
        package, _, rest = words[1].partition(".")
        if rest.startswith("nodes."):
            ros.run(package, rest.removeprefix("nodes."), words[2:])
        spec = importlib.util.find_spec(words[1])
        if spec is None or spec.origin is None:
            raise WrongError(f"there is no module {words[1]}")
        if not rest.startswith("nodes."):
            _options(words[2:], Path(spec.origin))
    elif not needs:
        raise WrongError(f"python -m {words[1]} is no module of this project; see NEEDS")


def _options(words: list[str], script: Path) -> None:
    if not script.is_file():
        raise WrongError(f"there is no {script.name}")
    for option in [word for word in words if word.startswith("--")]:
        if f" {option} " not in _help(script):
            raise WrongError(f"{script.name} has no option {option}")


@cache
def _help(script: Path) -> str:
    command = [sys.executable, script, "--help"]
    return subprocess.run(command, capture_output=True, text=True).stdout


def _compose(words: list[str]) -> None:
    file = ROOT / words[words.index("-f") + 1]
    if not file.is_file():
        raise WrongError(f"there is no {file.name}")
    services = yaml.safe_load(file.read_text())["services"]
    asked = [words[i + 1] for i, word in enumerate(words) if word in ("--profile", "build")]
    for name in asked:
        if name not in services:
            raise WrongError(f"{file.name} has no service '{name}'; it has {', '.join(services)}")
