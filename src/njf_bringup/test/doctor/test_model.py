"""The doctor's look at the checkpoint: whose it is, and what makes another."""

import re
from pathlib import Path

import pytest
import torch

from njf_bringup.doctor.model import checkpoint
from njf_bringup.paths import checkpoint_file, robot_file
from njf_control.robot import RobotConfig, load_robot

ROBOT = load_robot(robot_file("finger"))
INSTALLED = checkpoint_file("finger")


def with_control_camera(**changes: object) -> RobotConfig:
    """The finger with another camera in its loop."""
    rig = [c.model_copy(update=changes) if c.role == "control" else c for c in ROBOT.cameras]
    return ROBOT.model_copy(update={"cameras": rig})


def test_a_missing_one_is_told_how_to_make(tmp_path: Path) -> None:
    check = checkpoint(tmp_path / "none.pt", ROBOT, "finger")
    assert check.state == "failed"
    assert check.line().endswith("make train-finger")


def test_on_a_robot_pc_there_is_no_make(tmp_path: Path, robot_pc: None) -> None:
    check = checkpoint(tmp_path / "none.pt", ROBOT, "finger")
    assert check.line().endswith("njf pipeline --robot finger")


def test_the_installed_one_fits_and_another_robots_is_told() -> None:
    check = checkpoint(INSTALLED, ROBOT, "finger")
    assert check.state == "ok" and "with its reference view" in check.detail, check.line()
    check = checkpoint(INSTALLED, load_robot(robot_file("poppy")), "poppy")
    assert check.state == "failed" and check.line().endswith("make train-poppy")


def test_one_of_other_networks_or_without_reference_view(tmp_path: Path) -> None:
    content = torch.load(INSTALLED, weights_only=True)
    del content["reference"]
    torch.save(content, tmp_path / "blind.pt")
    check = checkpoint(tmp_path / "blind.pt", ROBOT, "finger")
    assert check.state == "note" and "no reference view" in check.detail
    content["jacobian"].popitem()
    torch.save(content, tmp_path / "other.pt")
    check = checkpoint(tmp_path / "other.pt", ROBOT, "finger")
    assert check.state == "failed" and "does not fit this version's networks" in check.detail


@pytest.mark.parametrize(
    ("change", "state", "text"),
    [
        ({"name": "front"}, "failed", "trained for camera 'camera_0'.*'front'"),
        ({"width": 640, "height": 480}, "ok", "fits"),
        ({"width": 640, "height": 360}, "failed", "320 x 240 px.*640 x 360"),
        ({"width": 160, "height": 120}, "failed", "320 x 240 px.*160 x 120"),
    ],
)
def test_the_camera_of_the_loop_is_that_of_training_or_finer(
    change: dict[str, object], state: str, text: str
) -> None:
    check = checkpoint(INSTALLED, with_control_camera(**change), "finger")
    assert check.state == state
    assert re.search(text, check.detail)


def test_a_robot_of_ones_own_is_trained_by_its_path_and_its_model_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "my robot.yaml"
    mine.write_text(robot_file("finger").read_text())
    check = checkpoint(tmp_path / "none.pt", ROBOT, str(mine))
    assert check.mend == f"njf train --robot '{mine}'"
    trained = Path("data") / "my robot" / "training" / "checkpoint.pt"
    trained.parent.mkdir(parents=True)
    trained.touch()
    check = checkpoint(tmp_path / "none.pt", ROBOT, str(mine))
    assert check.mend.startswith(f"njf doctor --robot '{mine}' --checkpoint '{trained}'")
    assert str(trained) in check.detail
    check = checkpoint(trained.absolute(), ROBOT, str(mine))
    assert check.mend == f"njf train --robot '{mine}'"
