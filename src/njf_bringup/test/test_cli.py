"""The command line: quick, helpful, and errors without tracebacks."""

import subprocess
import sys
import time
from pathlib import Path

import pytest


def njf(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "njf_bringup.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


def test_help_imports_nothing_heavy() -> None:
    heavy = {"rclpy", "torch", "cv2", "mujoco", "matplotlib"}
    code = f"import sys, njf_bringup.cli; print(sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]", answer.stderr


def test_help_lists_every_verb() -> None:
    answer = njf("--help")
    assert answer.returncode == 0
    verbs = [
        "up",
        "demo",
        "calibrate",
        "explore",
        "bag-to-dataset",
        "import-njf",
        "train",
        "evaluate",
        "doctor",
        "estop",
    ]
    for verb in verbs:
        assert verb in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("up", "--robot", "fingr"), "unknown robot 'fingr'; robots: "),
        (("up", "--task", "dance"), "valid values: servo, explore, none"),
        (("demo", "--checkpoint", "nowhere.pt", "--out", "out"), "nowhere.pt: cannot read"),
        (("train", "--robot", "unheard"), "unheard"),
        (("bag-to-dataset", "--bag", "nowhere"), "nowhere"),
        (("bag-to-dataset", "--flow", "horn"), "unknown flow estimator 'horn'; known: dis, raft"),
        (("import-njf", "--robot", "hand", "--source", "."), "unknown published robot 'hand'"),
        (("import-njf", "--robot", "hsa", "--source", "nowhere"), "nowhere/transforms.json: no"),
        (("servo-test", "--disturbance", "rain"), "unknown disturbance 'rain'; known: none, "),
        (("servo-test", "--task", "dance"), "unknown task 'dance'; known: goals, square"),
        (("servo-test", "--exact", "--task", "square"), "'finger' has no tasks"),
        (("servo-test", "--exact", "--checkpoint", __file__), "leave out --checkpoint, or --exact"),
        (("simulate", "--robot", "fingr"), "unknown robot 'fingr'; robots: "),
        (("ablate", "--only", "Weather"), "no group begins with 'Weather'; groups: "),
    ],
)
def test_errors_are_one_message_and_status_1(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    answer = njf(*arguments, cwd=tmp_path)
    assert answer.returncode == 1
    assert message in answer.stderr
    assert answer.stderr.startswith("error: ")
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("servo-test", "--seed", "-1"),
        ("import-njf", "--robot", "hsa", "--source", ".", "--workers", "300"),
        ("servo-test", "--out", __file__),
    ],
)
def test_impossible_values_are_refused_before_anything_begins(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    answer = njf(*arguments, cwd=tmp_path)
    assert answer.returncode == 2
    assert f"Invalid value for '{arguments[-2]}'" in answer.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.ros
def test_estop_without_a_driver_says_what_to_do() -> None:
    begin = time.monotonic()
    answer = njf("estop", "test")
    assert answer.returncode == 1
    assert "no driver serves /estop" in answer.stderr
    assert "cut the robot's power" in answer.stderr
    assert time.monotonic() - begin < 60
