"""Two processes that share a batch train as one process does."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from njf_control.robot import RobotConfig
from njf_perception.checkpoint import load_checkpoint
from njf_perception.errors import ConfigError
from njf_training.distributed import SharedNoise, World, mean_where
from njf_training.logs import read_log
from njf_training.train import train
from njf_training.train_config import TrainConfig


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.slow
def test_two_processes_train_as_one(
    ball_dataset: Path,
    ball_robot: RobotConfig,
    ball_training: TrainConfig,
    tmp_path: Path,
    start_process: Callable[..., subprocess.Popen[str]],
) -> None:
    config = ball_training.model_copy(
        update={"steps": 15, "log_every": 1, "validate_every": 15, "device": "cpu"}
    )
    for name, content in (("robot", ball_robot), ("config", config)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content.model_dump(mode="json")))
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    processes = [
        start_process(
            "njf_training.train",
            *("--robot", str(tmp_path / "robot.yaml"), "--config", str(tmp_path / "config.yaml")),
            *("--dataset", str(ball_dataset), "--out", str(tmp_path / "two")),
            env=os.environ
            | shared
            | {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)},
        )
        for rank in (0, 1)
    ]
    train(ball_dataset, ball_robot, tmp_path / "one", config)
    assert [process.wait(240) for process in processes] == [0, 0]
    one, two = (read_log(tmp_path / run / "log.jsonl") for run in ("one", "two"))
    assert len(one) == len(two) == 16  # 15 steps and a validation
    for alone, together in zip(one, two, strict=True):
        names = [name for name in alone if name.startswith(("loss/", "validation/"))]
        np.testing.assert_allclose(
            [together[name] for name in names], [alone[name] for name in names], rtol=1e-4
        )
    assert one[14]["loss/total"] < 0.95 * one[0]["loss/total"]
    first, second = (
        load_checkpoint(tmp_path / run / "checkpoint.pt").jacobian for run in ("one", "two")
    )
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight, rtol=1e-3, atol=1e-4)


def test_a_share_of_the_noise_is_a_part_of_the_whole() -> None:
    torch.manual_seed(3)
    whole = (torch.rand(4, 2), torch.randn(4, 5), torch.randn(4, 3))
    for rank in (0, 1):
        torch.manual_seed(3)
        with SharedNoise(World(rank, 2)):
            parts = (torch.rand(2, 2), torch.randn((2, 5)), torch.randn_like(torch.zeros(2, 3)))
        for part, full in zip(parts, whole, strict=True):
            assert part.equal(full[2 * rank : 2 * rank + 2])


def test_the_mean_counts_only_what_is_selected() -> None:
    values, where = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([True, False, True])
    assert mean_where(values, where) == 3.5
    assert mean_where(values, torch.zeros(3, dtype=torch.bool)) == 0.0


def test_shares_cover_a_batch_once() -> None:
    assert [list(World(rank, 3).share(6)) for rank in range(3)] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(ConfigError, match="batch of 8 images .* 3 processes"):
        World(0, 3).share(8)


def test_the_world_comes_from_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert World.of_environment() == World()
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert World.of_environment() == World(rank=5, size=8, local_rank=1)
