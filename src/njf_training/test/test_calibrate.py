"""Calibrating a confidence: the fit, and what it may look at."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from njf_control.jacobian import load_jacobian
from njf_control.robot import RobotConfig
from njf_perception.checkpoint import load_checkpoint
from njf_perception.errors import CheckpointError, DataError
from njf_training.calibrate import Evidence, calibrate_checkpoint, fit, gather
from njf_training.dataset import Dataset
from njf_training.judge.calibration import reliability
from njf_training.train import train
from njf_training.train_config import TrainConfig


@pytest.fixture(scope="module")
def trained(
    ball_dataset: Path,
    ball_robot: RobotConfig,
    ball_training: TrainConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The checkpoint of a short run."""
    config = ball_training.model_copy(update={"steps": 20, "validate_every": 1000})
    return train(ball_dataset, ball_robot, tmp_path_factory.mktemp("run"), config)


def overconfident(count: int, seed: int) -> Evidence:
    """Points that are right less often than their spread says, and more often when they move."""
    rng = np.random.default_rng(seed)
    signs = rng.normal([-1.0, 0.5], [1.0, 0.4], (count, 2))
    chance = 1 / (1 + np.exp(-(0.2 - 0.9 * signs[:, 0] + 1.5 * signs[:, 1])))
    return Evidence(np.arange(count) // 100, signs, rng.random(count) < chance)


def test_the_fit_finds_the_function_behind_the_evidence() -> None:
    found = fit(overconfident(20_000, seed=0))
    assert found.log_spread == pytest.approx(-0.9, abs=0.1)
    assert found.log_motion == pytest.approx(1.5, abs=0.25)
    assert (found.motions, found.points) == (200, 20_000)
    fresh = overconfident(20_000, seed=1)
    stated = found.probability(torch.from_numpy(fresh.signs)).numpy()
    raw = 1 - np.exp(-0.25 / np.exp(fresh.signs[:, 0]))
    assert reliability(stated, fresh.right)["ece"] < 0.02 < reliability(raw, fresh.right)["ece"]


@pytest.mark.parametrize("always", [True, False])
def test_evidence_without_exception_leaves_a_doubt(always: bool) -> None:
    some = overconfident(50, seed=0)
    found = fit(some._replace(right=np.full(50, always)))
    stated = found.probability(torch.from_numpy(some.signs))
    assert bool(((stated > 0.9) if always else (stated < 0.1)).all())
    assert float(stated.min()) > 0 and float(stated.max()) < 1


def test_training_ends_with_a_calibration(trained: Path, ball_dataset: Path) -> None:
    checkpoint = load_checkpoint(trained)
    dataset = Dataset.open(ball_dataset)
    assert checkpoint.info.confidence is not None
    assert checkpoint.info.confidence["motions"] <= len(dataset.split().validation)
    assert load_jacobian(checkpoint, checkpoint.scene_model()).calibration is not None


def test_only_motions_of_the_validation_are_asked(trained: Path, ball_dataset: Path) -> None:
    dataset = Dataset.open(ball_dataset)
    evidence = gather(load_checkpoint(trained), dataset)
    assert set(evidence.motion) <= set(dataset.split().validation)


def test_weights_stay_and_a_second_time_changes_nothing(
    trained: Path, ball_dataset: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(trained, tmp_path / "again.pt"))
    before = load_checkpoint(path)
    calibrate_checkpoint(path, Dataset.open(ball_dataset))
    after = load_checkpoint(path)
    assert after.info == before.info
    for name in ("perception", "jacobian"):
        old, new = getattr(before, name), getattr(after, name)
        assert old.keys() == new.keys()
        assert all(torch.equal(old[key], new[key]) for key in old)


def test_motions_that_show_nothing_are_refused(
    trained: Path, ball_dataset: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(ball_dataset, tmp_path / "still")
    np.save(folder / "flow.npy", np.full_like(np.load(folder / "flow.npy"), np.nan))
    path = Path(shutil.copy(trained, tmp_path / "a.pt"))
    with pytest.raises(DataError, match=r"2 motions held back .* Record longer"):
        calibrate_checkpoint(path, Dataset.open(folder))
    assert path.read_bytes() == trained.read_bytes()


def test_another_robots_checkpoint_is_refused(
    trained: Path, ball_dataset: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(ball_dataset, tmp_path / "other")
    text = (folder / "dataset.json").read_text()
    (folder / "dataset.json").write_text(text.replace('"ball"', '"arm"', 1))
    with pytest.raises(CheckpointError, match="checkpoint has robot ball"):
        calibrate_checkpoint(trained, Dataset.open(folder))
