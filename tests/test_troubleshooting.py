"""What docs/troubleshooting.md quotes is what the program says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "troubleshooting.md"
# Said by others, or names of things.
NOT_OURS = {"this type", "No module named 'torch'"}


def said() -> str:
    """All text of the program, with strings that go over several lines joined."""
    files = [*ROOT.glob("src/njf_*/njf_*/**/*.py")]
    text = "\n".join(file.read_text() for file in files)
    return re.sub(r'"\s*\n\s*f?"', "", text)


def quoted() -> list[str]:
    """Messages: what is quoted and has a space in it, and is no command."""
    quotes = {q for q in re.findall(r"`([^`]+)`", PAGE.read_text()) if " " in q}
    commands = ("njf ", "python3 ", "correction: ", "undistort: ")
    return sorted({q for q in quotes if not q.startswith(commands)} - NOT_OURS)


@pytest.mark.parametrize("message", quoted())
def test_the_message_exists(message: str) -> None:
    assert message in said()
