"""docs/adding_a_robot.md, walked through with a robot that is nowhere else in the project."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from njf_bringup.cli import app
from njf_bringup.closed_loop import trial
from njf_bringup.closed_loop.run import Setup, run_closed_loop
from njf_bringup.paths import robot_file
from njf_control.robot import load_robot
from njf_perception.errors import ConfigError
from njf_sim.menagerie import menagerie_file
from njf_sim.robot_model import RobotModel

ROOT = Path(__file__).parents[1]
POINTER = ROOT / "docs" / "examples" / "pointer.yaml"
STATES = 24  # the last trajectories are held back for validation
TINY = {
    "steps": 4,
    "batch": 2,
    "rays": 12,
    "warmup_steps": 1,
    "threads": 1,
    "log": [],
    "validate_every": 4,
    "validation_images": 1,
    "perception": {
        "encoder": {"input_width": 32, "input_height": 24, "width": 4, "features": 8, "code": 16},
        "field": {"hidden": 16, "layers": 2, "frequencies": 2},
    },
    "jacobian": {"field": {"hidden": 16, "layers": 2, "frequencies": 2}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pointer")


def njf(*arguments: object) -> str:
    """Run one verb of the command line in this process."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Path:
    out = folder / "dataset"
    njf("simulate", "--robot", POINTER, "--states", STATES, "--out", out, "--workers", 1)
    return out


@pytest.fixture(scope="module")
def checkpoint(dataset: Path, folder: Path) -> Path:
    config = folder / "tiny.yaml"
    config.write_text(yaml.safe_dump(TINY))
    options = ("--dataset", dataset, "--out", folder / "training", "--config", config)
    njf("train", "--robot", POINTER, *options)
    return folder / "training" / "checkpoint.pt"


def test_the_robot_loads_and_goes_where_it_is_told() -> None:
    robot = load_robot(robot_file(str(POINTER)))
    model = RobotModel.from_robot(robot)
    assert model.is_kinematic
    model.settle(np.array([np.pi / 6, -0.5]))
    reach, height = 0.16 * np.cos(0.5), 0.12 + 0.16 * np.sin(0.5)
    expected = [reach * np.cos(np.pi / 6), reach * np.sin(np.pi / 6), height]
    np.testing.assert_allclose(model.tip, expected, atol=1e-6)


def test_a_look_shows_every_camera_and_finds_nothing_wrong(folder: Path) -> None:
    said = njf("look", "--robot", POINTER, "--poses", 20, "--out", folder / "look.png")
    picture = cv2.imread(str(folder / "look.png"))
    assert picture is not None and picture.shape == (3 * 120, 4 * 160, 3)
    assert "moving parts reach from" in said
    assert "leave the workspace" not in said and "pass through" not in said


def test_the_workspace_holds_all_motions() -> None:
    robot = load_robot(POINTER)
    model = RobotModel.from_robot(robot)
    for turn in np.linspace(robot.lower[0], robot.upper[0], 5):
        for tilt in np.linspace(robot.lower[1], robot.upper[1], 5):
            model.settle(np.array([turn, tilt]))
            assert (model.tip - 0.025 >= robot.workspace_min_m).all(), (turn, tilt)
            assert (model.tip + 0.025 <= robot.workspace_max_m).all(), (turn, tilt)


def test_the_dataset_holds_what_was_asked_for(dataset: Path) -> None:
    info = json.loads((dataset / "dataset.json").read_text())
    assert (info["robot"], info["states"], info["channel_names"]) == (
        "pointer", STATES, ["turn", "tilt"],
    )  # fmt: skip


def test_a_checkpoint_is_evaluated(checkpoint: Path, dataset: Path, folder: Path) -> None:
    out = folder / "evaluation"
    options = ("--checkpoint", checkpoint, "--dataset", dataset, "--out", out, "--limit", 1)
    njf("evaluate", "--robot", POINTER, *options)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["robot"] == "pointer"
    assert np.isfinite(metrics["prediction"]["flow"]["held_out"]["cosine"]["mean"])


def test_the_confidence_is_calibrated_again(checkpoint: Path, dataset: Path, folder: Path) -> None:
    copy = folder / "copy.pt"
    copy.write_bytes(checkpoint.read_bytes())
    said = njf(
        "calibrate-confidence", "--robot", POINTER, "--checkpoint", copy, "--dataset", dataset
    )
    assert str(copy) in said


def test_the_exact_jacobian_reaches_a_goal(folder: Path) -> None:
    out = folder / "exact"
    njf("servo-test", "--robot", POINTER, "--exact", "--goals", 1, "--out", out)
    figures = json.loads((out / "summary.json").read_text())
    assert figures["joint_error_deg"]["median"] < 3.0


def test_the_servo_takes_the_checkpoint(
    checkpoint: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "MAX_STEPS", 1)
    robot = load_robot(POINTER)
    results = run_closed_loop(Setup(robot, str(checkpoint)), 1, folder / "loop")
    # Either it steps once, or it is as unsure as a model of four training steps may be.
    assert (results.trials[0].reason, results.trials[0].steps) in [
        ("TIMEOUT", 1), ("MODEL_UNSURE", 5),
    ]  # fmt: skip
    assert np.isfinite(results.summary["joint_error_deg"]["median"])


def test_the_training_file_of_the_document_is_valid() -> None:
    from njf_perception.config import load_config
    from njf_training.train_config import TrainConfig

    load_config(POINTER.with_name("pointer_training.yaml"), TrainConfig)


def test_the_robot_of_menagerie_stays_in_its_workspace() -> None:
    robot = load_robot(POINTER.with_name("iiwa.yaml"))
    pytest.importorskip("mujoco_menagerie")
    try:
        menagerie_file(robot.simulation.mjcf)
    except ConfigError as error:
        pytest.skip(str(error))
    model = RobotModel.from_robot(robot)
    assert model.is_kinematic
    rng = np.random.default_rng(0)
    for _ in range(50):
        model.settle(rng.uniform(robot.lower, robot.upper))
        assert (model.tip >= robot.workspace_min_m).all()
        assert (model.tip <= robot.workspace_max_m).all()


def test_the_document_explains_every_key_as_the_code_does() -> None:
    script = ROOT / "scripts" / "robot_keys.py"
    check = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
