"""Explorer and recorder together, against the toy robot on a live graph."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_training.bag_contents import read_contents
from njf_training.convert import convert
from njf_training.explore import plan
from njf_training.states import ConvertOptions

pytestmark = pytest.mark.ros

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def launch(start_process: Start, robot_file: Path) -> Start:
    """`launch(node, **parameters)` starts the recorder's or the explorer's process."""

    def start(node: str, **parameters: Any) -> subprocess.Popen[str]:
        values = {"robot_file": robot_file, **parameters}
        arguments = [a for k, v in values.items() for a in ("-p", f"{k}:={v}")]
        module = f"njf_training.nodes.{node}"
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return start_process(module, "--ros-args", *arguments, **pipes)

    return start


def finish(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=60)[0]


def test_exploration_becomes_a_dataset(
    fake_robot: Any, launch: Start, toy_robot: RobotConfig, tmp_path: Path
) -> None:
    recorder = launch("recorder", output=tmp_path / "bag", mode="stills")
    explorer = launch("explorer", states=12, steps_per_trajectory=2, seed=9)
    output, _ = explorer.communicate(timeout=240)
    assert explorer.returncode == 0, output
    assert "12 states in" in output
    finish(recorder)
    marks = read_contents(tmp_path / "bag").marks
    planned = list(plan(toy_robot, 12, 2, seed=9))
    assert [(m.trajectory, m.step) for m in marks] == [(p.trajectory, p.step) for p in planned]
    assert np.allclose(
        [mark.applied for mark in marks], [state.setpoint for state in planned], atol=0.011
    )
    options = ConvertOptions(workers=1, max_distance=0.6)
    report = convert(tmp_path / "bag", tmp_path / "dataset", options)
    assert (report.states, report.pairs, report.states_that_moved) == (12, 8, 0)


def test_sigint_leaves_a_usable_recording(
    fake_robot: Any, launch: Start, wait_until: Callable[..., None], tmp_path: Path
) -> None:
    bag = tmp_path / "bag"
    recorder = launch("recorder", output=bag, mode="stills")
    explorer = launch("explorer", states=10_000)
    wait_until(lambda: (bag / "bag.mcap").exists() and _marks(bag) >= 2, 120.0, "two states")
    output = finish(explorer)
    assert explorer.returncode == 0 and "states in" in output
    finish(recorder)
    assert read_contents(bag).complete and len(read_contents(bag).marks) >= 2


@pytest.mark.fault
def test_an_emergency_stop_ends_the_exploration(
    fake_robot: Any, launch: Start, wait_until: Callable[..., None], tmp_path: Path
) -> None:
    from njf_msgs.msg import SafetyState

    bag = tmp_path / "bag"
    launch("recorder", output=bag, mode="stills")
    explorer = launch("explorer", states=10_000)
    wait_until(lambda: (bag / "bag.mcap").exists() and _marks(bag) >= 1, 120.0, "a state")
    fake_robot.safety = SafetyState.ESTOP
    output, _ = explorer.communicate(timeout=60)
    assert explorer.returncode == 1
    assert "error: the driver went to ESTOP: test" in output and "Traceback" not in output


@pytest.mark.fault
def test_a_dead_recorder_ends_the_exploration(
    fake_robot: Any, launch: Start, wait_until: Callable[..., None], tmp_path: Path
) -> None:
    bag = tmp_path / "bag"
    recorder = launch("recorder", output=bag, mode="stills")
    explorer = launch("explorer", states=10_000, capture_timeout=1.0)
    wait_until(lambda: (bag / "bag.mcap").exists() and _marks(bag) >= 1, 120.0, "a state")
    os.kill(recorder.pid, signal.SIGKILL)
    recorder.wait()
    output, _ = explorer.communicate(timeout=60)
    assert explorer.returncode == 1
    assert "the recorder did not answer" in output and "Traceback" not in output


@pytest.mark.fault
def test_a_silent_camera_ends_the_exploration(
    fake_robot: Any, launch: Start, tmp_path: Path
) -> None:
    fake_robot.silent_cameras = {"camera_2"}
    launch("recorder", output=tmp_path / "bag", mode="stills")
    explorer = launch("explorer", states=5, capture_timeout=2.0)
    output, _ = explorer.communicate(timeout=120)
    assert explorer.returncode == 1
    assert "capture failed 3 times: no image from" in output and "camera_2 within" in output


def _marks(bag: Path) -> int:
    from njf_perception.bag import BagReader

    return sum(1 for _ in BagReader(bag).messages(["/capture_mark"]))
