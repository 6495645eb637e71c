"""From robot to checkpoint: finished stages are skipped, results are installed."""

import json
from pathlib import Path

import numpy as np
import pytest

from njf_bringup import stages
from njf_bringup.commands import explore
from njf_bringup.paths import robot_file
from njf_bringup.truth import SimulatorTruth
from njf_control.robot import load_robot
from njf_perception.errors import ConfigError, DataError


class Recorder:
    """Stages that only note that they ran, and leave what they promise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, metrics: dict) -> None:
        self.ran: list[str] = []
        self.metrics = metrics
        self.flow: dict = {"cosine": 1}
        monkeypatch.setattr(stages, "root", lambda: root)
        monkeypatch.setattr(explore, "explore_into", self.explore)
        monkeypatch.setattr(stages, "convert", self.convert)
        monkeypatch.setattr(stages, "train", self.train)
        monkeypatch.setattr(stages, "evaluate", self.evaluate)
        monkeypatch.setattr(stages, "close_loop", self.close_loop)

    def _leave(self, name: str, path: Path, text: str = "") -> None:
        self.ran.append(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def explore(self, bag: Path, *_: object) -> None:
        assert not bag.exists()
        self._leave("record", bag / "metadata.yaml")

    def convert(self, robot: str, bag: Path, out: Path) -> None:
        self._leave("dataset", out / "dataset.json")

    def train(self, robot: str, dataset: Path, out: Path) -> None:
        self._leave("train", out / "checkpoint.pt", "weights")

    def evaluate(self, robot: str, checkpoint: Path, dataset: Path, out: Path) -> None:
        self._leave("evaluate", out, json.dumps(self.flow))

    def close_loop(self, robot: str, checkpoint: Path, out: Path, seed: int) -> None:
        self._leave("demo", out / "metrics.json", json.dumps(self.metrics))


def test_all_stages_run_once_and_the_result_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_metrics: dict
) -> None:
    recorder = Recorder(monkeypatch, tmp_path, demo_metrics)
    for _ in range(2):
        assert stages.run_all("finger", tmp_path / "data", states=5, seed=0, install=True)
    assert recorder.ran == ["record", "dataset", "train", "evaluate", "demo"]
    assert (tmp_path / "checkpoints/finger/finger.pt").read_text() == "weights"
    installed = json.loads((tmp_path / "checkpoints/finger/metrics.json").read_text())
    made_by = installed.pop("made_by")
    assert made_by == "njf pipeline --robot finger --states 5 --seed 0"
    assert installed == {"flow": {"cosine": 1}, "closed_loop": demo_metrics}


def test_an_unfinished_recording_is_made_anew_and_a_bad_loop_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_metrics: dict
) -> None:
    demo_metrics["success_rate"] = 0.5
    recorder = Recorder(monkeypatch, tmp_path, demo_metrics)
    (tmp_path / "data" / "bag").mkdir(parents=True)
    (tmp_path / "data" / "bag" / "bag.mcap").write_text("half")
    (tmp_path / "data" / "bag" / "metadata.yaml").write_text("closed after an abort")
    good = stages.run_all("finger", tmp_path / "data", states=5, seed=0, install=False)
    assert not good
    assert recorder.ran[0] == "record"
    assert not (tmp_path / "checkpoints").exists()


def test_missed_criteria_install_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_metrics: dict
) -> None:
    recorder = Recorder(monkeypatch, tmp_path, demo_metrics)
    recorder.flow = {"held_out": {"cosine": {"mean": 0.9}}}
    assert not stages.run_all("finger", tmp_path / "data", states=5, seed=0, install=True)
    assert not (tmp_path / "checkpoints").exists()


def test_results_of_another_call_are_not_passed_off_as_these(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_metrics: dict
) -> None:
    Recorder(monkeypatch, tmp_path, demo_metrics)
    stages.run_all("finger", tmp_path / "data", states=5, seed=0, install=False)
    with pytest.raises(DataError, match="'seed': 0.*asked for.*'seed': 7"):
        stages.run_all("finger", tmp_path / "data", states=5, seed=7, install=False)


def test_a_robot_without_training_configuration_is_told_which_exist() -> None:
    with pytest.raises(ConfigError, match="configurations there: .*finger"):
        stages.train("unheard", Path("dataset"), Path("out"))


def test_the_simulator_judges_in_the_robots_channel_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_metrics: dict
) -> None:
    robot = load_robot(robot_file("finger"))
    positions = np.array([[0.3, 0.2, 0.1], [0.3, 0.2, 0.4]])  # joint_2, joint_1, joint_0
    names = robot.channel_names[::-1]
    np.savez(tmp_path / "truth.npz", joint_names=names, joint_positions=positions)
    truth = SimulatorTruth(tmp_path, robot)
    view = truth.view(0, 1, "camera_0")
    speed = np.linalg.norm(view.flow, axis=-1)[view.robot]
    # Only joint_0 turns, so all that can move does, the far end fastest.
    assert (speed > 0).mean() > 0.99
    assert speed.max() > 10 * np.percentile(speed, 2)
    assert np.isfinite(view.depth[view.robot]).all()


def test_a_dataset_without_truth_cannot_be_judged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nobody knows the true motion"):
        SimulatorTruth(tmp_path, load_robot(robot_file("finger")))
