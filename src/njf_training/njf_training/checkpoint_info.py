"""What a checkpoint says about itself, and where a run's first weights come from."""

import subprocess
from pathlib import Path

import torch

from njf_control.robot import RobotConfig
from njf_perception.checkpoint import CameraRecord, CheckpointInfo, load_checkpoint
from njf_perception.errors import CheckpointError
from njf_training.dataset import Dataset
from njf_training.train_config import TrainConfig


def checkpoint_info(dataset: Dataset, robot: RobotConfig, config: TrainConfig) -> CheckpointInfo:
    """What a checkpoint trained on `dataset` says about itself.

    One normalised unit is half the range of the recorded set-points.
    """
    return CheckpointInfo(
        robot=dataset.robot,
        channel_names=dataset.channel_names,
        channel_units=dataset.channel_units,
        command_center=dataset.command_center.tolist(),
        command_half_range=dataset.command_half_range.tolist(),
        camera=CameraRecord.of(dataset.control_camera),
        workspace_min_m=robot.workspace_min_m,
        workspace_max_m=robot.workspace_max_m,
        perception=config.perception,
        jacobian=config.jacobian.model_dump(),
        training={
            "config": config.model_dump(),
            "states": len(dataset.commands),
            "dataset": dataset.info.content_id,
        },
        git_revision=git_revision(),
    )


def initial_perception(config: TrainConfig, info: CheckpointInfo) -> dict[str, torch.Tensor] | None:
    """Weights of the perception that a run starts from; None: fresh ones.

    Raises:
        CheckpointError: the stage needs a checkpoint and none is named, or it cannot be read, or
            was made for another robot, camera, workspace or size of model.
    """
    if config.init_from is None:
        if config.stage == "jacobian":
            raise CheckpointError(
                "stage 'jacobian' trains on a finished perception, and init_from names none. "
                "Set init_from to the checkpoint.pt of a run of stage 'geometry' or 'joint'."
            )
        return None
    checkpoint = load_checkpoint(config.init_from)
    checkpoint.require(info.robot, info.channel_names)
    for field in ("perception", "camera", "workspace_min_m", "workspace_max_m"):
        found, expected = getattr(checkpoint.info, field), getattr(info, field)
        if found != expected:
            raise CheckpointError(
                f"init_from {config.init_from} has {field} {found}, this run has {expected}. "
                "Both runs need the same size of perception, control camera and workspace."
            )
    return checkpoint.perception


def git_revision() -> str:
    """Short revision of the working tree, "unknown" outside one."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()
