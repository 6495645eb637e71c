"""Each package declares exactly what its code imports, so that rosdep finds everything."""

import ast
import re
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ["njf_bringup", "njf_control", "njf_perception", "njf_sim", "njf_training"]

# rosdep keys of modules that ROS itself does not provide.
ROSDEP_KEYS = {
    "PIL": "python3-pil",
    "can": "python3-can",
    "cv2": "python3-opencv",
    "matplotlib": "python3-matplotlib",
    "numpy": "python3-numpy",
    "pytest": "python3-pytest",
    "scipy": "python3-scipy",
    "serial": "python3-serial",
    "tqdm": "python3-tqdm",
    "yaml": "python3-yaml",
}
# Packages from pip whose modules are called otherwise.
PIP_NAMES = {
    "dynamixel_easy_sdk": "dynamixel-sdk",
    "dynamixel_sdk": "dynamixel-sdk",
    "mcap_ros2": "mcap-ros2-support",
    "starlette": "fastapi",  # which brings it along
}


def imported_modules(package: str) -> set[str]:
    """Top-level modules that a package's code imports, beside itself and the standard library."""
    files = [*(ROOT / "src" / package / package).glob("**/*.py")]
    files += (ROOT / "launch").glob("**/*.py") if package == "njf_bringup" else []
    return _modules(files) - {package}


def _modules(files: Iterable[Path]) -> set[str]:
    names = {name for file in files for name in _imports(ast.parse(file.read_text()))}
    return names - sys.stdlib_module_names


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def pinned(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\s*\"?([\w-]+)(?:\[\w+\])?==([\w.]+)", text, re.MULTILINE))


@pytest.mark.parametrize("package", PACKAGES)
def test_dependencies_are_those_that_the_code_imports(package: str) -> None:
    manifest = ElementTree.parse(ROOT / "src" / package / "package.xml")
    declared = {element.text for element in manifest.iter("exec_depend")}
    from_pip = pinned((ROOT / "requirements-robot-pc.txt").read_text())
    imported = {ROSDEP_KEYS.get(name, name) for name in imported_modules(package)}
    assert imported - from_pip.keys() == declared


@pytest.mark.parametrize("package", PACKAGES)
def test_dependencies_of_the_tests_are_declared(package: str) -> None:
    """Beside the other packages here: their tests run in a whole workspace."""
    folder = ROOT / "src" / package
    manifest = ElementTree.parse(folder / "package.xml")
    declared = {e.text for kind in ("exec_depend", "test_depend") for e in manifest.iter(kind)}
    from_pip = pinned((ROOT / "requirements-robot-pc.txt").read_text())
    modules = _modules(folder.glob("test/**/*.py")) - {*PACKAGES, "njf_msgs"}
    keys = {ROSDEP_KEYS.get(name, PIP_NAMES.get(name, name)) for name in modules}
    missing = keys - from_pip.keys() - declared
    assert not missing


def test_both_lanes_use_the_same_versions() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    direct = pinned(
        "\n".join(entry for group in groups.values() for entry in group if entry == str(entry))
    )
    every = pinned((ROOT / "constraints.txt").read_text())
    robot_pc = pinned((ROOT / "requirements-robot-pc.txt").read_text())
    for versions in (direct, robot_pc):
        assert versions
        assert versions.items() <= every.items()
