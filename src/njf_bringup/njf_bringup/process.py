"""One node as an operating-system process: its command line, log, signals and death."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from njf_bringup.graph import NodeSpec
from njf_bringup.paths import root
from njf_perception.errors import ConfigError
from njf_perception.processes import end_with_parent


@dataclass(frozen=True)
class NodeProcess:
    """A started node. It leads its own process group and writes to its own log."""

    spec: NodeSpec
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that killed it."""
        return self.popen.poll()

    def send(self, number: int) -> None:
        """Send a signal to the whole group, as long as the leader has not been reaped."""
        if self.exit_code is None:
            os.killpg(self.popen.pid, number)

    def tail(self, lines: int = 12) -> str:
        """The last lines of the log, indented."""
        text = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(f"    {line}" for line in text) or "    (empty)"


def start_node(
    spec: NodeSpec, run_dir: Path, environment: dict[str, str], extra: list[str]
) -> NodeProcess:
    """Start `spec` with its parameters in a file; log and parameters lie under `run_dir`.

    The kernel sends the node SIGTERM when the thread that called this ends, however it ends: call
    it from the main thread.
    """
    parameters = run_dir / "parameters" / f"{spec.name}.yaml"
    parameters.parent.mkdir(parents=True, exist_ok=True)
    parameters.write_text(yaml.safe_dump({"/**": {"ros__parameters": spec.parameters}}))
    log = run_dir / "logs" / f"{spec.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        popen = subprocess.Popen(
            command_line(spec, parameters, extra),
            stdin=subprocess.DEVNULL,
            stdout=None if spec.on_terminal else output,
            stderr=None if spec.on_terminal else subprocess.STDOUT,
            env=environment,
            process_group=0,  # Ctrl-C reaches the supervisor alone, which stops in its order
            preexec_fn=partial(_prepare, spec.niceness),
        )
    return NodeProcess(spec, popen, log)


def command_line(spec: NodeSpec, parameters: Path, extra: list[str]) -> list[str]:
    """The command that runs `spec`; `extra` are further ROS arguments, which win."""
    program = [executable(spec)] if spec.external else [sys.executable, "-m", spec.module]
    command = [*program, *spec.arguments, "--ros-args", "-r", f"__node:={spec.name}"]
    if spec.namespace:
        command += ["-r", f"__ns:=/{spec.namespace.strip('/')}"]
    for source, target in spec.remappings.items():
        command += ["-r", f"{source}:={target}"]
    return [*command, "--params-file", str(parameters), *extra]


def executable(spec: NodeSpec) -> str:
    """The program of an external node: on the path, or where ROS installs a package's programs.

    Raises:
        ConfigError: it is not installed.
    """
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    places = [
        Path(prefix) / "lib" / spec.package / spec.executable for prefix in prefixes if prefix
    ]
    found = shutil.which(spec.executable) or next((str(p) for p in places if p.is_file()), None)
    if found is None:
        raise ConfigError(
            f"{spec.executable} is not installed here. On a robot PC: sudo apt install "
            f"ros-jazzy-{spec.package.replace('_', '-')}, and source /opt/ros/jazzy/setup.bash. "
            "Or leave the option out."
        )
    return found


def environment_defaults(run_dir: Path) -> dict[str, str]:
    """What the nodes' environment needs and the user has not set.

    One thread per numeric library: the nodes share few cores and each has work to do. Two arenas of
    the C library's memory: else each of a node's threads keeps free memory of its own. The Fast DDS
    profile holds images in shared memory; without it a third of them is lost.
    """
    defaults = {
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(root() / "config" / "fastdds.xml"),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "MALLOC_ARENA_MAX": "2",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "ROS_LOG_DIR": str(run_dir / "logs" / "ros"),
    }
    return {name: value for name, value in defaults.items() if name not in os.environ}


def _prepare(niceness: int) -> None:
    """In the child, before exec: SIGTERM when the parent dies, so that it can still clean up."""
    os.nice(niceness)
    end_with_parent(signal.SIGTERM)
