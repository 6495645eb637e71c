"""Which part of a dataset is learnt from: cameras, states, and the kind of supervision."""

from typing import Literal

import numpy as np
from jaxtyping import Float16, Float32, Int
from pydantic import Field

from njf_perception.config import Config
from njf_perception.errors import DataError
from njf_training.dataset import Dataset, DatasetCamera


class DataConfig(Config):
    """Which part of a dataset is trained on."""

    cameras: list[str] | None = Field(
        default=None, description="cameras to learn from; default: all that are not held out"
    )
    states: int | None = Field(default=None, ge=2, description="learn from the first states only")
    command_range: float = Field(
        default=1.0, gt=0, le=1, description="learn from states within this share of the range"
    )
    flow: Literal["estimated", "exact", "tracks"] = Field(
        default="estimated",
        description="estimated: optical flow; tracks: of points; exact: the simulator's own, as an "
        "upper bound",
    )
    depth: Literal["hull", "sensor"] = Field(
        default="hull", description="hull: from silhouettes; sensor: measured by depth cameras"
    )

    def rows(self, dataset: Dataset) -> Int[np.ndarray, " a"]:
        """Rows of `pairs` to learn from.

        Raises:
            DataError: none is left.
        """
        rows = dataset.split().training
        pairs = dataset.pairs[rows]
        if self.states is not None:
            keep = pairs.max(axis=1) < self.states
            rows, pairs = rows[keep], pairs[keep]
        reach = np.abs(dataset.normalized_commands()[pairs]).max(axis=(1, 2))
        rows = rows[reach <= self.command_range + 1e-9]
        if not len(rows):
            raise DataError(
                f"{dataset.folder}: no motion of the first {self.states} states lies within "
                f"{self.command_range} of the command range. Choose more states or a wider range."
            )
        return rows


def training_cameras(dataset: Dataset, data: DataConfig) -> list[DatasetCamera]:
    """Cameras to learn from, the control camera among them.

    Raises:
        DataError: the configuration names another camera, or not the control camera.
    """
    usable = [camera for camera in dataset.cameras if camera.role != "held_out"]
    if data.cameras is None:
        return usable
    names = [camera.name for camera in usable]
    unknown = sorted(set(data.cameras) - set(names))
    control = dataset.control_camera.name
    if unknown or control not in data.cameras:
        raise DataError(
            f"data.cameras is {data.cameras}; expected some of {names}, '{control}' among them."
        )
    return [camera for camera in usable if camera.name in data.cameras]


def flow_source(dataset: Dataset, data: DataConfig) -> Float16[np.ndarray, "p c h w 2"]:
    """The flow to learn from [px].

    Raises:
        DataError: the dataset does not have it.
    """
    if data.flow != "exact":
        return dataset.flow
    if dataset.exact_flow is None:
        raise DataError(
            f"{dataset.folder} has no exact_flow.npy. Simulate again with --exact-flow."
        )
    return dataset.exact_flow


def track_source(dataset: Dataset, data: DataConfig) -> Float32[np.ndarray, "p c m 4"] | None:
    """The tracks to learn from; None to learn from flow.

    Raises:
        DataError: the dataset does not have them.
    """
    if data.flow != "tracks":
        return None
    if dataset.tracks is None:
        raise DataError(
            f"{dataset.folder} has no tracks.npy. Convert again with --tracks, or use data.flow: "
            "estimated."
        )
    return dataset.tracks


def depth_source(dataset: Dataset, data: DataConfig) -> Float16[np.ndarray, "t c h w"] | None:
    """The measured depth to learn from [m]; None to learn from the visual hull.

    Raises:
        DataError: the dataset does not have it.
    """
    if data.depth == "hull":
        return None
    if dataset.depth is None:
        raise DataError(
            f"{dataset.folder} has no depth.npy, so data.depth cannot be 'sensor'. "
            "Record with depth cameras, or use data.depth: hull."
        )
    return dataset.depth
