"""Training on the ball: it learns, resumes exactly, and writes usable checkpoints."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from njf_control.jacobian import load_jacobian
from njf_control.robot import RobotConfig
from njf_perception.checkpoint import Checkpoint, load_checkpoint
from njf_perception.errors import DataError, StoppedError
from njf_training.batches import training_batches
from njf_training.dataset import Dataset
from njf_training.distributed import World
from njf_training.logs import Logs, read_log
from njf_training.stop import StopRequest, stop_request
from njf_training.train import run, train
from njf_training.train_config import TrainConfig
from njf_training.trainer import Trainer


@pytest.fixture(scope="module")
def finished(
    ball_dataset: Path,
    ball_robot: RobotConfig,
    ball_training: TrainConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A finished run's folder."""
    out = tmp_path_factory.mktemp("run")
    train(ball_dataset, ball_robot, out, ball_training)
    return out


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """All weights of a run's checkpoint."""
    checkpoint = load_checkpoint(folder / "checkpoint.pt")
    return checkpoint.perception | checkpoint.jacobian


def assert_same_weights(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


@pytest.mark.parametrize(("camera", "cosine"), [(0, 0.9), (1, 0.8), (2, 0.8)])
def test_flow_of_held_out_motions_points_the_right_way(
    finished: Path, ball_dataset: Path, camera: int, cosine: float
) -> None:
    dataset = Dataset.open(ball_dataset)
    checkpoint = load_checkpoint(finished / "checkpoint.pt")
    found = [flow_cosine(checkpoint, dataset, int(row), camera) for row in dataset.split().test]
    assert np.mean(found) > cosine


def flow_cosine(checkpoint: Checkpoint, dataset: Dataset, row: int, camera: int) -> float:
    """Mean cosine between predicted and measured flow on the robot's pixels of one view."""
    model = checkpoint.scene_model()
    before, after = (int(state) for state in dataset.pairs[row])
    scene = model.encode(np.asarray(dataset.images[before, 0]), dataset.control_camera)
    measured = np.asarray(dataset.flow[row, camera]).astype(np.float64)
    r, c = np.nonzero(np.isfinite(measured[..., 0]))
    pixels = torch.from_numpy(np.stack([2 * c + 0.5, 2 * r + 0.5], -1)).float()
    view = dataset.cameras[camera].camera
    points, _ = scene.surface_from(view, pixels)
    commands = torch.from_numpy(dataset.normalized_commands()).float()
    field = load_jacobian(checkpoint, model)
    moved = field.displace(scene, points, commands[after] - commands[before])
    T = np.linalg.inv(view.T_world_camera) @ dataset.control_camera.T_world_camera
    start, end = (
        view.project(x.double().numpy() @ T[:3, :3].T + T[:3, 3]) for x in (points, moved)
    )
    predicted = torch.from_numpy(end - start)
    return float(torch.cosine_similarity(predicted, torch.from_numpy(measured[r, c])).mean())


def test_checkpoint_says_what_it_is_for(finished: Path) -> None:
    info = load_checkpoint(finished / "checkpoint.pt").info
    assert (info.robot, info.channel_names, info.camera.name) == ("ball", ["slide"], "camera_0")
    assert info.training["states"] == 40


def test_loss_falls_on_held_out_motions(finished: Path) -> None:
    entries = read_log(finished / "log.jsonl")
    assert [e["step"] for e in entries if "loss/total" in e] == [50, 100, 150]
    first = next(e["loss/total"] for e in entries if "loss/total" in e)
    (last,) = (e["validation/total"] for e in entries if "validation/total" in e)
    assert last < 0.8 * first


def test_resumed_run_equals_an_uninterrupted_one(
    ball_dataset: Path, ball_robot: RobotConfig, ball_training: TrainConfig, tmp_path: Path
) -> None:
    config = ball_training.model_copy(update={"steps": 6, "save_every": 3, "workers": 2})
    train(ball_dataset, ball_robot, tmp_path / "whole", config)
    interrupted = Trainer(Dataset.open(ball_dataset), ball_robot, config)
    for batch in training_batches(interrupted.sampler, range(3), 4, config.seed, 1, World()):
        interrupted.update(batch)
    interrupted.save(tmp_path / "half")
    again = config.model_copy(update={"save_every": 1, "workers": 1})
    train(ball_dataset, ball_robot, tmp_path / "half", again)
    assert_same_weights(weights(tmp_path / "whole"), weights(tmp_path / "half"))


def test_a_killed_run_ends_as_an_uninterrupted_one(
    ball_dataset: Path,
    ball_robot: RobotConfig,
    ball_training: TrainConfig,
    tmp_path: Path,
    start_process: Callable[..., subprocess.Popen[str]],
    wait_until: Callable[..., None],
) -> None:
    config = ball_training.model_copy(update={"steps": 40, "save_every": 3, "log_every": 1})
    for name, content in (("robot", ball_robot), ("config", config)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content.model_dump(mode="json")))
    killed = tmp_path / "killed"
    process = start_process(
        "njf_training.train",
        *("--robot", str(tmp_path / "robot.yaml"), "--config", str(tmp_path / "config.yaml")),
        *("--dataset", str(ball_dataset), "--out", str(killed)),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    log = killed / "log.jsonl"
    wait_until(lambda: log.exists() and len(read_log(log)) >= 5, 120)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    reached = torch.load(killed / "resume.pt", weights_only=True)["step"]
    assert 0 < reached < config.steps
    train(ball_dataset, ball_robot, killed, config)
    assert [e["step"] for e in read_log(log) if "loss/total" in e] == list(range(1, 41))
    train(ball_dataset, ball_robot, tmp_path / "whole", config)
    assert_same_weights(weights(killed), weights(tmp_path / "whole"))


def test_a_signal_saves_and_says_how_to_go_on(
    ball_dataset: Path, ball_robot: RobotConfig, ball_training: TrainConfig, tmp_path: Path
) -> None:
    trainer = Trainer(Dataset.open(ball_dataset), ball_robot, ball_training)
    with stop_request() as stop:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(StoppedError, match=r"SIGTERM .* step 1 of 150; .* same command"):
            run(trainer, tmp_path, Logs([]), stop)
    assert torch.load(tmp_path / "resume.pt", weights_only=True)["step"] == 1


def test_the_second_signal_is_not_held_back() -> None:
    # A shell starts background jobs with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with stop_request() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_a_loss_that_is_no_number_ends_the_run(
    ball_dataset: Path, ball_robot: RobotConfig, ball_training: TrainConfig, tmp_path: Path
) -> None:
    config = ball_training.model_copy(update={"log_every": 1})
    trainer = Trainer(Dataset.open(ball_dataset), ball_robot, config)
    with torch.no_grad():
        next(trainer.model.parameters()).fill_(torch.nan)
    with pytest.raises(DataError, match="no number at step 1"):
        run(trainer, tmp_path, Logs([]), StopRequest())
    assert not (tmp_path / "resume.pt").exists()


def test_resuming_with_another_configuration_is_refused(
    finished: Path, ball_dataset: Path, ball_robot: RobotConfig, ball_training: TrainConfig
) -> None:
    other = ball_training.model_copy(update={"learning_rate": 1e-3})
    with pytest.raises(DataError, match="another configuration"):
        train(ball_dataset, ball_robot, finished, other)


def test_resuming_on_another_dataset_is_refused(
    finished: Path,
    ball_dataset: Path,
    ball_robot: RobotConfig,
    ball_training: TrainConfig,
    tmp_path: Path,
) -> None:
    copy = shutil.copytree(ball_dataset, tmp_path / "copy")
    info = json.loads((copy / "dataset.json").read_text()) | {"content_id": "another"}
    (copy / "dataset.json").write_text(json.dumps(info))
    with pytest.raises(DataError, match="another dataset"):
        train(copy, ball_robot, finished, ball_training)
