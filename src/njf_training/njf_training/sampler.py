"""Batches of rays for training: mostly where the robot is, some around it, some anywhere."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int
from pydantic import Field
from torch import Tensor

from njf_perception.camera import Camera
from njf_perception.config import Config
from njf_perception.encoder import EncoderConfig, prepare_image
from njf_perception.errors import DataError
from njf_perception.workspace import Workspace
from njf_training.augment import AugmentConfig, augment
from njf_training.dataset import Dataset, DatasetCamera
from njf_training.hull import CameraRig, Silhouettes, hull_depth

BAND_PX = 3  # width of the rim around the robot that is sampled on purpose [half-size px]


class DataConfig(Config):
    """Which part of a dataset is trained on."""

    cameras: list[str] | None = Field(
        default=None, description="cameras to learn from; default: all that are not held out"
    )
    states: int | None = Field(default=None, ge=2, description="learn from the first states only")
    command_range: float = Field(
        default=1.0, gt=0, le=1, description="learn from states within this share of the range"
    )
    flow: Literal["estimated", "exact"] = Field(
        default="estimated", description="exact: the simulator's own, as an upper bound"
    )
    depth: Literal["hull", "sensor"] = Field(
        default="hull", description="hull: from silhouettes; sensor: measured by depth cameras"
    )

    def rows(self, dataset: Dataset) -> Int[np.ndarray, " a"]:
        """Rows of `pairs` to learn from.

        Raises:
            DataError: none is left.
        """
        rows, _ = dataset.split()
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


class Batch(NamedTuple):
    """Context images, the command that followed, and rays with what was seen along them."""

    images: Float[Tensor, "b 3 h w"]
    commands: Float[Tensor, "b n"]  # normalised change of the set-points
    camera: Int[Tensor, "b r"]  # index into the rig
    pixels: Float[Tensor, "b r 2"]  # [px]
    rgb: Float[Tensor, "b r 3"]  # 0..1
    robot: Bool[Tensor, "b r"]  # the ray hits the robot
    flow: Float[Tensor, "b r 2"]  # motion from this state to the next [px], NaN unknown
    depth: Float[Tensor, "b r"]  # depth of the hull [m], NaN where there is none


@dataclass(frozen=True)
class PixelLists:
    """For every state and camera, flat half-size pixel indices of one kind, end to end."""

    indices: Int[np.ndarray, " m"]
    starts: Int[np.ndarray, "t c1"]

    def draw(self, state: int, camera: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """`count` random indices, fewer only if there are none at all."""
        low, high = self.starts[state, camera], self.starts[state, camera + 1]
        if high == low:
            return np.zeros(0, np.int64)
        return self.indices[rng.integers(low, high, count)]


class RaySampler:
    """Draws batches from a dataset; all randomness comes from the generator passed in."""

    def __init__(
        self,
        dataset: Dataset,
        encoder: EncoderConfig,
        workspace: Workspace,
        rays: int,
        augment: AugmentConfig,
        data: DataConfig,
    ) -> None:
        self.dataset, self.rays, self.workspace = dataset, rays, workspace
        self.augment = augment
        self.rows = data.rows(dataset)
        self._flow, self._depth = _flow_source(dataset, data), _depth_source(dataset, data)
        training = _training_cameras(dataset, data)
        self.camera_index = [dataset.cameras.index(c) for c in training]
        self.context = next(i for i, c in enumerate(training) if c.role == "control")
        cameras: list[Camera] = [c.camera for c in training]
        self.rig = CameraRig.of(cameras, cameras[self.context])
        packed = np.asarray(dataset.masks[:, self.camera_index])
        self.silhouettes = Silhouettes(packed, self.rig.size)
        self.robot, self.rim = _pixel_lists(packed, self.rig.size)
        context = self.camera_index[self.context]
        self.images = [prepare_image(image, encoder) for image in dataset.images[:, context]]
        size = (encoder.input_width, encoder.input_height)
        self.masks = [_small_mask(dataset.mask(i, context), size) for i in range(len(self.images))]
        self.commands = dataset.normalized_commands()

    def batch(self, rows: Int[np.ndarray, " b"], rng: np.random.Generator) -> Batch:
        """Rays for the given rows of `Dataset.pairs`."""
        items = [self._item(int(row), rng) for row in rows]
        return Batch(*(torch.stack(parts) for parts in zip(*items, strict=True)))

    def _item(self, row: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        before, after = (int(i) for i in self.dataset.pairs[row])
        camera, index = self._draw(before, rng)
        width = self.rig.size[0] // 2
        r, c = index // width, index % width
        pixels = torch.from_numpy(np.stack([2 * c + 0.5, 2 * r + 0.5], -1)).float()
        source = np.array(self.camera_index)[camera]
        robot = self._robot_mask(before, camera, r, c)
        flow = torch.from_numpy(self._flow[row, source, r, c].astype(np.float32))
        cameras = torch.from_numpy(camera)
        depth = torch.full((len(index),), torch.nan)
        if self._depth is None:
            origins, directions = self.rig.rays(cameras[robot], pixels[robot])
            depth[robot] = hull_depth(
                self.silhouettes, before, self.rig, self.workspace, origins, directions
            )
        else:
            measured = torch.from_numpy(self._depth[before, source, r, c].astype(np.float32))
            depth[robot] = measured[robot]
        command = torch.from_numpy(self.commands[after] - self.commands[before]).float()
        rgb = self._colors(before, source, r, c)
        image = augment(self.images[before], self.masks[before], self.augment, rng)
        return image, command, cameras, pixels, rgb, robot, flow, depth

    def _draw(
        self, state: int, rng: np.random.Generator
    ) -> tuple[Int[np.ndarray, " r"], Int[np.ndarray, " r"]]:
        """Cameras and flat half-size pixel indices: a third of the rays in the context view."""
        count = self.rays
        cameras = rng.integers(0, len(self.camera_index), count)
        cameras[: count // 3] = self.context
        cameras.sort()
        indices = np.empty(count, np.int64)
        pixels = (self.rig.size[0] // 2) * (self.rig.size[1] // 2)
        for camera in map(int, np.unique(cameras)):
            slots = np.flatnonzero(cameras == camera)
            chosen = rng.integers(0, pixels, len(slots))
            robot = self.robot.draw(state, camera, len(slots) * 6 // 10, rng)
            rim = self.rim.draw(state, camera, len(slots) * 2 // 10, rng)
            chosen[: len(robot)] = robot
            chosen[len(robot) : len(robot) + len(rim)] = rim
            indices[slots] = chosen
        return cameras, indices

    def _robot_mask(self, state: int, camera: np.ndarray, r: np.ndarray, c: np.ndarray) -> Tensor:
        flat = torch.from_numpy(2 * r * self.rig.size[0] + 2 * c)
        byte = self.silhouettes.packed[state, torch.from_numpy(camera), flat >> 3]
        return ((byte >> (7 - (flat & 7)).to(torch.uint8)) & 1).bool()

    def _colors(self, state: int, source: np.ndarray, r: np.ndarray, c: np.ndarray) -> Tensor:
        image = self.dataset.images[state]
        blocks = [
            image[source, 2 * r + i, 2 * c + j].astype(np.float32) for i in (0, 1) for j in (0, 1)
        ]
        return torch.from_numpy(np.mean(blocks, axis=0) / 255).float()


def _training_cameras(dataset: Dataset, data: DataConfig) -> list[DatasetCamera]:
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


def _flow_source(dataset: Dataset, data: DataConfig) -> Float16[np.ndarray, "p c h w 2"]:
    if data.flow == "estimated":
        return dataset.flow
    path = dataset.folder / "exact_flow.npy"
    if not path.exists():
        raise DataError(f"{path} does not exist. Simulate again with --exact-flow.")
    return np.load(path, mmap_mode="r")


def _depth_source(dataset: Dataset, data: DataConfig) -> Float16[np.ndarray, "t c h w"] | None:
    if data.depth == "hull":
        return None
    if dataset.depth is None:
        raise DataError(
            f"{dataset.folder} has no depth.npy, so data.depth cannot be 'sensor'. "
            "Record with depth cameras, or use data.depth: hull."
        )
    return dataset.depth


def _small_mask(mask: Bool[np.ndarray, "h w"], size: tuple[int, int]) -> Bool[np.ndarray, "k l"]:
    share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return share > 0.25


def _pixel_lists(packed: np.ndarray, size: tuple[int, int]) -> tuple[PixelLists, PixelLists]:
    """Half-size pixels on the robot, and in the rim around it, for every state and camera."""
    states, cameras = packed.shape[:2]
    width, height = size
    kernel = np.ones((2 * BAND_PX + 1, 2 * BAND_PX + 1), np.uint8)
    robot: list[np.ndarray] = []
    rim: list[np.ndarray] = []
    for state in range(states):
        full = np.unpackbits(packed[state], axis=-1, count=width * height)
        for mask in full.reshape(cameras, height, width)[:, ::2, ::2]:
            robot.append(np.flatnonzero(mask))
            rim.append(np.flatnonzero(cv2.dilate(mask, kernel) & (1 - mask)))
    return _concatenate(robot, states, cameras), _concatenate(rim, states, cameras)


def _concatenate(lists: list[np.ndarray], states: int, cameras: int) -> PixelLists:
    lengths = np.array([len(part) for part in lists], np.int64)
    ends = np.cumsum(lengths).reshape(states, cameras)
    starts = np.concatenate([(ends[:, :1] - lengths.reshape(states, cameras)[:, :1]), ends], axis=1)
    return PixelLists(np.concatenate(lists).astype(np.int64), starts)
