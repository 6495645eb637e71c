"""From lines of a shell to single commands as words."""

import re
import shlex
from collections.abc import Iterator

_OPERATORS = {"&&", "||", ";", "|", "&"}
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)")
_PLACE = re.compile(r"<([\w ./-]+)>")
PLACEHOLDER = "PLACEHOLDER"


def commands(text: str) -> Iterator[tuple[int, list[str]]]:
    """Every simple command with its line, from 0; variables that the text sets are put in.

    `<name>` and `...` are placeholders. Assignments before a command stay its first words.
    """
    variables: dict[str, str] = {}
    for number, line in _joined(text):
        for words in _split(line):
            known = [_expand(word, variables) for word in words]
            assigned = [_ASSIGNMENT.fullmatch(word) for word in known]
            if known and all(assigned):
                variables |= {match[1]: match[2] for match in assigned if match}
            elif known:
                yield number, known


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Lines, with those joined that end in a backslash."""
    begin, parts = 0, []
    for number, line in enumerate(text.splitlines()):
        begin = begin if parts else number
        parts.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            yield begin, " ".join(parts)
            parts = []


def _split(line: str) -> Iterator[list[str]]:
    plain = _PLACE.sub(lambda match: f"{PLACEHOLDER}_" + re.sub(r"\W", "_", match[1]), line)
    reader = shlex.shlex(plain, posix=True, punctuation_chars=True)
    reader.whitespace_split, reader.commenters = True, ""
    words: list[str] = []
    for word in reader:
        if word.startswith("#"):  # a comment begins a word; `#` inside a word is none
            break
        if word in _OPERATORS:
            yield words
            words = []
        else:
            words.append(word)
    yield words


def _expand(word: str, variables: dict[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda m: variables.get(m[1], m[0]), word)
