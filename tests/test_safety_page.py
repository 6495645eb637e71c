"""The table of faults in docs/safety.md names tests that exist, and every test of a fault."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "safety.md"
ID = re.compile(r"`(test_\w+\.py::test_\w+)`")
FEWEST_ROWS = 40


def modules() -> list[Path]:
    return sorted([*ROOT.glob("src/*/test/**/test_*.py"), *ROOT.glob("tests/**/test_*.py")])


def collected(path: Path) -> Iterator[tuple[str, bool]]:
    """Each test's id, and whether it is marked `fault`, by itself or with its whole module."""
    tree = ast.parse(path.read_text())
    marks = [
        ast.unparse(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            own = [*marks, *map(ast.unparse, node.decorator_list)]
            yield f"{path.name}::{node.name}", any(is_fault(mark) for mark in own)


def is_fault(mark: str) -> bool:
    return re.search(r"\bmark\.fault\b", mark) is not None


def rows() -> list[str]:
    return [line for line in PAGE.read_text().splitlines() if ID.search(line) and line[0] == "|"]


def test_every_test_that_the_page_names_exists() -> None:
    known = {name for path in modules() for name, _ in collected(path)}
    named = {name for row in rows() for name in ID.findall(row)}
    gone = sorted(named - known)
    assert not gone, f"docs/safety.md names tests that are gone: {gone}"


def test_every_test_of_a_fault_is_on_the_page() -> None:
    faults = {name for path in modules() for name, fault in collected(path) if fault}
    named = {name for row in rows() for name in ID.findall(row)}
    assert faults, "the marks are found"
    missing = sorted(faults - named)
    assert not missing, f"add these tests to the table of docs/safety.md: {missing}"


def test_every_row_says_what_happens_and_when() -> None:
    assert len(rows()) >= FEWEST_ROWS
    for row in rows():
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 4 and all(cells), row
