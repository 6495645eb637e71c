"""The rules in pyproject.toml hold: who may import whom, and who may speak ROS."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]


def test_import_rules_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(cache_dir=None, no_cache=True) == 0


def test_every_node_module_is_an_installed_executable() -> None:
    installed = {script.value for script in entry_points(group="console_scripts")}
    nodes = {
        f"{package.name}.nodes.{node.stem}:main"
        for package in (ROOT / "src").glob("njf_*")
        for node in (package / package.name / "nodes").glob("*.py")
        if "\ndef main(" in node.read_text()
    }
    assert nodes
    assert not nodes - installed
