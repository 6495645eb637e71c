"""The rules in pyproject.toml hold: who may import whom, and who may speak ROS."""

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]


def test_import_rules_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(cache_dir=None, no_cache=True) == 0


def test_every_node_module_is_an_installed_executable() -> None:
    for package in sorted((ROOT / "src").glob("njf_*")):
        setup = package / "setup.py"
        for node in (package / package.name / "nodes").glob("*.py"):
            if "\ndef main(" in node.read_text():
                entry = f"{node.stem} = {package.name}.nodes.{node.stem}:main"
                assert entry in setup.read_text(), f"{setup} lacks '{entry}'"
