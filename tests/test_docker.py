"""The robot PC's image and compose file, as far as they can be judged without a Docker engine."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from njf_bringup.graph import load_graph
from njf_bringup.resolve import parse_arguments, resolve

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "docker" / "Dockerfile"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]


def command(service: dict[str, Any]) -> list[str]:
    """The service's command with the defaults of its variables."""
    return shlex.split(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", service["command"]))


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.prefix) / "bin" / "hadolint"
    done = subprocess.run([hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_manifest_is_there_before_rosdep() -> None:
    before = DOCKERFILE.read_text().split("rosdep install")[0]
    copied = set(re.findall(r"^COPY src/(\w+)/package\.xml src/\1/$", before, re.MULTILINE))
    packages = {path.parent.name for path in ROOT.glob("src/*/package.xml")}
    assert copied == packages - {"njf_pip_ros"}


def test_what_is_copied_exists_and_what_is_large_stays_outside() -> None:
    sources = re.findall(r"^COPY (?:--\S+ )*(\S+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    assert all((ROOT / source).exists() for source in sources) and len(sources) > 6
    assert {".venv", "data", "out", ".git"} <= set((ROOT / ".dockerignore").read_text().split())


def test_nothing_runs_as_root() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert users[-1] == "${USER_ID}"


def test_services_are_those_of_the_comment_and_share_one_image(services: dict[str, Any]) -> None:
    text = (ROOT / "docker" / "compose.yaml").read_text()
    assert re.findall(r"--profile (\w+) up", text) == list(services)
    for name, service in services.items():
        assert service["profiles"] == [name] and service["image"] == "njf:jazzy"
        assert (ROOT / "docker" / service["build"]["context"] / "src").is_dir()
        assert service["init"] and service["network_mode"] == service["ipc"] == "host"


def test_what_is_launched_is_what_the_graph_takes(services: dict[str, Any]) -> None:
    for name, nodes in (("sim", 5), ("robot", 5)):
        program, *arguments = command(services[name])
        assert [program, *arguments[:3]] == ["ros2", "launch", "njf_bringup", "njf.launch.py"]
        texts = dict(argument.split(":=") for argument in arguments[3:])
        graph = load_graph()
        assert len(resolve(graph, parse_arguments(graph, texts)).nodes) == nodes


def test_a_driver_never_restarts_by_itself(services: dict[str, Any]) -> None:
    assert services["robot"]["restart"] == "no"
    assert {"dialout", "video"} <= set(services["robot"]["group_add"])


def test_training_and_viewer_call_what_exists(services: dict[str, Any]) -> None:
    program, verb, *options = command(services["training"])
    assert program == "njf" and options[-1] == "--no-install"
    done = subprocess.run(
        [Path(sys.prefix) / "bin" / "njf", verb, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert {option for option in options if option.startswith("--")} <= set(
        re.findall(r"--[a-z-]+", done.stdout)
    )
    *_, layout = command(services["viewer"])
    assert (ROOT / Path(layout).relative_to("/workspace")).is_file()
