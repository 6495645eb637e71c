"""The reference view of a checkpoint: what its camera saw besides the robot while recording."""

import argparse
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from njf_perception.checkpoint import CameraRecord, load_checkpoint, save_checkpoint
from njf_perception.errors import DataError, explained
from njf_training.dataset import Dataset


def reference_view(dataset: Dataset) -> UInt8[np.ndarray, "h w 3"]:
    """The scene as the control camera saw it, without what moves."""
    control = dataset.camera_names.index(dataset.control_camera.name)
    return np.array(dataset.background[control])


def add_reference(path: Path, dataset: Dataset) -> None:
    """Write the reference view into a checkpoint that has none, or in place of another one.

    Raises:
        CheckpointError: the file is no checkpoint.
        DataError: it was trained with another robot or control camera.
    """
    checkpoint = load_checkpoint(path)
    trained, found = checkpoint.info.camera, CameraRecord.of(dataset.control_camera)
    if checkpoint.info.robot != dataset.robot or trained != found:
        raise DataError(
            f"{path} was trained with camera {trained} of robot '{checkpoint.info.robot}', the "
            f"dataset has {found} of '{dataset.robot}'. Name the dataset it was trained on."
        )
    view = reference_view(dataset)
    save_checkpoint(path, checkpoint.info, checkpoint.perception, checkpoint.jacobian, view)


def main() -> None:
    """Add the reference view to a checkpoint that was trained before there was one."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint to change")
    parser.add_argument("--dataset", type=Path, required=True, help="what it was trained on")
    asked = parser.parse_args()
    with explained():
        add_reference(asked.checkpoint, Dataset.open(asked.dataset))


if __name__ == "__main__":
    main()
