"""Verbs of `njf` as a person types them: on the simulated finger, with real nodes, and short."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mcap.reader import make_reader
from mcap_ros2.reader import read_ros2_messages

from njf_training.dataset import Dataset

pytestmark = [pytest.mark.ros, pytest.mark.slow]

ROOT = Path(__file__).parents[1]
STATES = 12


def njf(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "njf_bringup.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=280)


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read what the process says until it says `text`."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"it ended with {process.wait()} and never said '{text}'")


def topics_of(bag: Path) -> dict[str, int]:
    """Messages per topic of a folder's one MCAP file."""
    (file,) = bag.glob("*.mcap")
    with file.open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None and summary.statistics is not None
    counts = summary.statistics.channel_message_counts
    return {channel.topic: counts.get(number, 0) for number, channel in summary.channels.items()}


def transforms_of(bag: Path) -> set[tuple[str, str]]:
    """Parent and child of every static transform."""
    (file,) = bag.glob("*.mcap")
    messages = read_ros2_messages(file, topics=["/tf_static"])
    sent = [transform for message in messages for transform in message.ros_msg.transforms]
    return {(transform.header.frame_id, transform.child_frame_id) for transform in sent}


def test_a_running_graph_is_recorded_and_stopped(
    start_process: Callable, wait_until: Callable, tmp_path: Path
) -> None:
    options = {"stdout": subprocess.PIPE, "cwd": tmp_path}
    arguments = ("--robot", "finger", "--task", "none", "--tf-prefix", "left/")
    up = start_process("njf_bringup.cli", "up", *arguments, **options)
    wait_for(up, "all nodes are up")
    record = start_process("njf_bringup.cli", "record", "--out", "bag", **options)
    wait_for(record, "recording. Ctrl-C finishes the bag.")
    wait_until(lambda: any((tmp_path / "bag").glob("*.mcap")), 60.0, "the bag")
    stop = njf("estop", "a test", cwd=tmp_path)
    assert stop.returncode == 0, stop.stderr
    release = njf("estop", "--reset", cwd=tmp_path)
    assert release.returncode == 0, release.stderr
    for process, status in ((record, 0), (up, 130)):
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == status
    counts = topics_of(tmp_path / "bag")
    assert counts["/command_applied"] > 10 and counts["/safety_state"] > 2
    assert transforms_of(tmp_path / "bag") == {("left/world", "left/camera_0_optical_frame")}


def test_an_exploration_becomes_a_dataset(tmp_path: Path) -> None:
    explored = njf("explore", "--robot", "finger", "--states", str(STATES), cwd=tmp_path)
    assert explored.returncode == 0, explored.stderr
    (bag,) = re.findall(rf"recorded {STATES} states in (.*)", explored.stdout)
    converted = njf("bag-to-dataset", "--bag", bag, "--out", "dataset", cwd=tmp_path)
    assert converted.returncode == 0, converted.stderr
    assert len(Dataset.open(tmp_path / "dataset").commands) == STATES


def test_the_doctor_looks_at_everything(tmp_path: Path) -> None:
    answer = njf("doctor", "--robot", "finger", cwd=tmp_path)
    *lines, verdict = answer.stdout.splitlines()
    failed = [line for line in lines if "failed" in line]
    assert len(lines) > 10
    assert (answer.returncode, bool(failed)) in [(0, False), (1, True)], answer.stdout
    assert verdict == (f"{len(failed)} of the checks failed." if failed else "all is well.")


def script(name: str, *arguments: str) -> str:
    """Run a script of the documents; what it says."""
    command = [sys.executable, str(ROOT / "scripts" / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_rig_is_rendered_and_calibrated(tmp_path: Path) -> None:
    size = ("--cameras", "3", "--instants", "8", "--seed", "0")
    said = script("calibration_accuracy.py", "--out", str(tmp_path / "rig"), *size)
    (median_mm,) = re.findall(r"corners \+ 0.0 px: position median (\S+) mm", said)
    assert float(median_mm) < 2.0


def test_sizes_of_compressed_images_are_told() -> None:
    assert "| JPEG 95 |" in script("bench_recording.py", "--sizes")
