"""Commands, settings and links in README.md and docs/**/*.md.

Commands stand in blocks of the language `sh`, or inline. What a block needs beside a checkout is
said above it in a comment that readers do not see: `<!-- needs: ROS, hardware -->`.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^\s*```(\S*)\s*$")
_NEEDS = re.compile(r"<!-- needs: ([^>]*?) -->")
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language, its text, and what it says that it needs."""

    path: Path
    line: int
    language: str
    text: str
    needs: frozenset[str]


def documents() -> list[Path]:
    """Every page, first the README."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def place(path: Path, line: int) -> str:
    """Where something stands, as a person looks for it."""
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}:{line}"


def blocks(path: Path) -> Iterator[Block]:
    """Fenced blocks of a page."""
    begin, language, body, needs, before = 0, "", [], frozenset[str](), ""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        fence = _FENCE.match(line)
        if begin and fence:
            yield Block(path, begin + 1, language, textwrap.dedent("\n".join(body)), needs)
            begin = 0
        elif begin:
            body.append(line)
        elif fence:
            begin, language, body = number, fence[1], []
            needs = frozenset(re.findall(r"[\w-]+", "".join(_NEEDS.findall(before))))
        before = line if line.strip() else before


def prose(path: Path) -> str:
    """A page without its fenced blocks; lines keep their numbers."""
    lines, inside = [], False
    for line in path.read_text().splitlines():
        fence = bool(_FENCE.match(line))
        lines.append("" if inside or fence else line)
        inside ^= fence
    return "\n".join(lines)


def spans(path: Path) -> Iterator[tuple[int, str]]:
    """Inline code with its line; a span may go on in the next line."""
    text = prose(path)
    for match in _SPAN.finditer(text):
        if "\n\n" not in match[1]:
            yield text.count("\n", 0, match.start()) + 1, " ".join(match[1].split())


def links(path: Path) -> Iterator[tuple[int, str]]:
    """Targets of links and pictures that are inside the project, with their lines."""
    text = re.sub(_SPAN, "", prose(path))
    for match in _LINK.finditer(text):
        if "://" not in match[1]:
            yield text.count("\n", 0, match.start()) + 1, match[1]


def anchors(path: Path) -> set[str]:
    """Anchors of a page's headings, as code hosts make them."""
    titles = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", _LINK.sub("", title).lower()) for title in titles)
    return {word.strip().replace(" ", "-") for word in words}
