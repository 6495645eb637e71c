"""From robot to checkpoint: finished stages are skipped, results are installed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from njf_bringup import stages
from njf_bringup.commands import explore
from njf_bringup.criteria import CRITERIA, Bound, missed
from njf_bringup.paths import robot_file, robot_names, root
from njf_bringup.truth import SimulatorTruth
from njf_control.robot import load_robot
from njf_perception.errors import ConfigError, DataError

SIMULATED = stages.Plan("finger", 5, 0)
RECORDED = stages.Plan("finger", 5, 0, through_ros=True)
BOUNDED = stages.Plan("finger", 5, 0, exact_flow=True)


class Recorder:
    """Stages that only note that they ran, and leave what they promise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.ran: list[str] = []
        self.cosine = 0.99
        (folder / "docs").mkdir()
        shutil.copy(root() / "README.md", folder / "README.md")
        monkeypatch.setattr(stages, "root", lambda: folder)
        monkeypatch.setattr(stages, "_effort", lambda plan, home: {"data": {"states": plan.states}})
        monkeypatch.setattr(explore, "explore_into", self.explore)
        for name in ("convert", "simulate", "train", "evaluate"):
            monkeypatch.setattr(stages, name, getattr(self, name))

    def _leave(self, name: str, path: Path, text: str = "") -> None:
        self.ran.append(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def explore(self, bag: Path, *_: object) -> None:
        assert not bag.exists()
        self._leave("record", bag / "metadata.yaml")

    def convert(self, robot: str, bag: Path, out: Path) -> None:
        self._leave("dataset", out / "dataset.json")

    def simulate(self, plan: stages.Plan, out: Path) -> None:
        self._leave("simulate", out / "dataset.json")

    def train(self, robot: str, dataset: Path, out: Path, exact_flow: bool = False) -> None:
        self._leave("train on exact" if exact_flow else "train", out / "checkpoint.pt", "weights")

    def evaluate(
        self, robot: str, checkpoint: Path, dataset: Path, out: Path, seed: int = 0
    ) -> None:
        held_out = {"cosine": {"mean": self.cosine}}
        figures = {"robot": robot, "prediction": {"flow": {"held_out": held_out}}}
        (out / "prediction.png").parent.mkdir(parents=True)
        (out / "prediction.png").write_text("picture")
        self._leave("evaluate", out / "metrics.json", json.dumps(figures))


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    from njf_bringup.tables import write

    found = Recorder(monkeypatch, tmp_path)
    monkeypatch.setattr(write, "write_tables", lambda folder: found.ran.append("tables"))
    return found


def test_all_stages_run_once_and_the_result_is_installed(
    tmp_path: Path, recorder: Recorder
) -> None:
    for _ in range(2):
        assert stages.run_all(SIMULATED, tmp_path / "data", install=True)
    assert recorder.ran == ["simulate", "train", "evaluate", "tables", "tables"]
    assert (tmp_path / "checkpoints/finger/finger.pt").read_text() == "weights"
    assert (tmp_path / "docs/images/finger/prediction.png").read_text() == "picture"
    installed = json.loads((tmp_path / "checkpoints/finger/metrics.json").read_text())
    made_by = "njf pipeline --robot finger --states 5 --seed 0 --simulated"
    assert installed["made_by"] == made_by
    assert installed["data"] == {"states": 5}
    assert installed["prediction"]["flow"]["held_out"]["cosine"]["mean"] == 0.99


def test_a_model_of_exact_flow_is_trained_beside_the_one_that_is_installed(
    tmp_path: Path, recorder: Recorder
) -> None:
    for _ in range(2):
        assert stages.run_all(BOUNDED, tmp_path / "data", install=True)
    assert recorder.ran == ["simulate", "train", "train on exact", "evaluate", "tables", "tables"]
    assert (tmp_path / "data" / stages.EXACT_TRAINING / "checkpoint.pt").exists()
    installed = json.loads((tmp_path / "checkpoints/finger/metrics.json").read_text())
    assert installed["made_by"].endswith("--simulated --exact-flow")


def test_exact_flow_asks_for_the_simulator() -> None:
    with pytest.raises(ConfigError, match="leave out --through-ros"):
        stages.Plan("finger", 5, 0, through_ros=True, exact_flow=True)


def test_an_unfinished_recording_is_made_anew(tmp_path: Path, recorder: Recorder) -> None:
    (tmp_path / "data" / "bag").mkdir(parents=True)
    (tmp_path / "data" / "bag" / "bag.mcap").write_text("half")
    (tmp_path / "data" / "bag" / "metadata.yaml").write_text("closed after an abort")
    assert stages.run_all(RECORDED, tmp_path / "data", install=False)
    assert recorder.ran == ["record", "dataset", "train", "evaluate"]
    assert not (tmp_path / "checkpoints").exists()


def test_missed_criteria_install_nothing(
    tmp_path: Path, recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.cosine = 0.9
    assert not stages.run_all(SIMULATED, tmp_path / "data", install=True)
    assert not (tmp_path / "checkpoints").exists()
    assert "cosine.mean is 0.9, wanted at least 0.95" in capsys.readouterr().out


def test_results_of_another_call_are_not_passed_off_as_these(
    tmp_path: Path, recorder: Recorder
) -> None:
    stages.run_all(SIMULATED, tmp_path / "data", install=False)
    with pytest.raises(DataError, match="'through_ros': False.*asked for.*'through_ros': True"):
        stages.run_all(RECORDED, tmp_path / "data", install=False)


def test_training_time_counts_all_attempts(tmp_path: Path) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    (tmp_path / "training_seconds.json").write_text("100.0")
    with pytest.raises(KeyboardInterrupt):
        stages._timed(tmp_path, interrupted)()
    assert 100.0 < json.loads((tmp_path / "training_seconds.json").read_text()) < 101.0


def test_bounds_hold_on_the_right_side_and_absent_figures_are_no_miss() -> None:
    metrics = {"a": {"b": 2.0}}
    assert Bound("a.b", 2.0).missed(metrics) is None
    assert Bound("a.b", 1.0, at_most=True).missed(metrics) == "a.b is 2, wanted at most 1"
    assert Bound("a.c", 1.0).missed(metrics) is None
    assert missed("unheard", {"closed_loop": {"learned": {"success_rate": 0.1}}})


def test_every_robot_has_criteria() -> None:
    assert set(robot_names()) == set(CRITERIA)


def test_a_robot_without_training_configuration_is_told_which_exist() -> None:
    with pytest.raises(ConfigError, match="configurations there: .*finger"):
        stages.train("unheard", Path("dataset"), Path("out"))


def finger_truth(folder: Path) -> SimulatorTruth:
    """Two states, joints in another order than the robot's."""
    robot = load_robot(robot_file("finger"))
    positions = np.array([[0.3, 0.2, 0.1], [0.3, 0.2, 0.101]])  # joint_2, joint_1, joint_0
    names = robot.channel_names[::-1]
    np.savez(folder / "truth.npz", joint_names=names, joint_positions=positions)
    np.save(folder / "commands.npy", positions[:, ::-1])
    return SimulatorTruth(folder, robot)


def test_the_simulator_judges_in_the_robots_channel_order(tmp_path: Path) -> None:
    truth = finger_truth(tmp_path)
    view = truth.view(0, 1, "camera_0")
    speed = np.linalg.norm(view.flow, axis=-1)[view.robot]
    # Only joint_0 turns, so all that can move does, the far end fastest.
    assert (speed > 0).mean() > 0.99
    assert speed.max() > 10 * np.percentile(speed, 2)
    assert np.isfinite(view.depth[view.robot]).all()
    # The exact Jacobian says the same of a small step.
    v, u = (x[::50] for x in np.nonzero(view.robot))
    known = truth.jacobian(0, "camera_0", np.stack([u, v], -1))
    moved = known.points_m + known.jacobian_m @ [0.001, 0.0, 0.0]
    K = truth._model.cameras["camera_0"].K
    flow = moved[:, :2] / moved[:, 2:] - known.points_m[:, :2] / known.points_m[:, 2:]
    np.testing.assert_allclose(flow * K[[0, 1], [0, 1]], view.flow[v, u], atol=2e-3)


def test_a_dataset_without_truth_cannot_be_judged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nobody knows the true motion"):
        SimulatorTruth(tmp_path, load_robot(robot_file("finger")))
