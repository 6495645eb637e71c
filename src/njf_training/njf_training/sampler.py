"""Batches of rays for training: mostly where the robot is, some around it, some anywhere."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from njf_perception.camera import Camera
from njf_perception.encoder import EncoderConfig, prepare_image
from njf_perception.workspace import Workspace
from njf_training.augment import AugmentConfig, augment
from njf_training.dataset import Dataset
from njf_training.hull import CameraRig, Silhouettes, hull_depth
from njf_training.selection import (
    DataConfig,
    depth_source,
    flow_source,
    track_source,
    training_cameras,
)
from njf_training.tracks import DrawnTracks, draw_tracks

BAND_PX = 3  # width of the rim around the robot that is sampled on purpose [half-size px]


class Batch(NamedTuple):
    """Context images, the command that followed, and rays with what was seen along them."""

    images: Float[Tensor, "b 3 h w"]
    setpoints: Float[Tensor, "b n"]  # normalised, in effect in the image
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
        self._flow, self._depth = flow_source(dataset, data), depth_source(dataset, data)
        self._tracks = track_source(dataset, data)
        training = training_cameras(dataset, data)
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
        drawn = self._draw(before, row, rng)
        width, height = self.rig.size
        c, r = drawn.pixels.round().astype(int).clip(0, [width - 1, height - 1]).T
        source = np.array(self.camera_index)[drawn.camera]
        cameras, pixels = torch.from_numpy(drawn.camera), torch.from_numpy(drawn.pixels).float()
        robot = self._robot_mask(before, drawn.camera, r, c)
        setpoint, command = self.commands[before], self.commands[after] - self.commands[before]
        return (
            augment(self.images[before], self.masks[before], self.augment, rng),
            torch.from_numpy(setpoint).float(),
            torch.from_numpy(command).float(),
            cameras,
            pixels,
            self._colors(before, source, r // 2, c // 2),
            robot,
            torch.from_numpy(drawn.flow.astype(np.float32)),
            self._depths(before, source, cameras, pixels, robot),
        )

    def _depths(
        self,
        state: int,
        source: np.ndarray,
        cameras: Int[Tensor, " r"],
        pixels: Float[Tensor, "r 2"],
        robot: Bool[Tensor, " r"],
    ) -> Float[Tensor, " r"]:
        """Depth of the robot along rays [m], measured or from the hull; NaN where unknown."""
        depth = torch.full((len(source),), torch.nan)
        if self._depth is None:
            origins, directions = self.rig.rays(cameras[robot], pixels[robot])
            depth[robot] = hull_depth(
                self.silhouettes, state, self.rig, self.workspace, origins, directions
            )
        else:
            c, r = (pixels.numpy().astype(int) // 2).T
            measured = torch.from_numpy(self._depth[state, source, r, c].astype(np.float32))
            depth[robot] = measured[robot]
        return depth

    def _draw(self, state: int, row: int, rng: np.random.Generator) -> DrawnTracks:
        """Rays with their flow, of pixels or, where those are learnt from, of tracked points."""
        if self._tracks is None:
            return self._draw_pixels(state, row, self.rays, rng)
        tracked = draw_tracks(self._tracks[row, self.camera_index], self.rays // 2, rng)
        others = self._draw_pixels(state, row, self.rays - len(tracked.camera), rng)
        # Only points that were tracked have a known motion.
        others = others._replace(flow=np.full_like(others.flow, np.nan))
        return DrawnTracks(*(np.concatenate(both) for both in zip(tracked, others, strict=True)))

    def _draw_pixels(
        self, state: int, row: int, count: int, rng: np.random.Generator
    ) -> DrawnTracks:
        """Centres of half-size pixels: most on the robot, many around it, some anywhere."""
        cameras, index = self._draw_indices(state, count, rng)
        r, c = np.divmod(index, self.rig.size[0] // 2)
        flow = self._flow[row, np.array(self.camera_index)[cameras], r, c].astype(np.float32)
        pixels = np.stack([2 * c + 0.5, 2 * r + 0.5], -1).astype(np.float32)
        return DrawnTracks(cameras, pixels, flow, np.zeros(count, bool))

    def _draw_indices(
        self, state: int, count: int, rng: np.random.Generator
    ) -> tuple[Int[np.ndarray, " r"], Int[np.ndarray, " r"]]:
        """Cameras and flat half-size pixel indices: a third of the rays in the context view."""
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
        flat = torch.from_numpy(r * self.rig.size[0] + c)
        byte = self.silhouettes.packed[state, torch.from_numpy(camera), flat >> 3]
        return ((byte >> (7 - (flat & 7)).to(torch.uint8)) & 1).bool()

    def _colors(self, state: int, source: np.ndarray, r: np.ndarray, c: np.ndarray) -> Tensor:
        image = self.dataset.images[state]
        blocks = [
            image[source, 2 * r + i, 2 * c + j].astype(np.float32) for i in (0, 1) for j in (0, 1)
        ]
        return torch.from_numpy(np.mean(blocks, axis=0) / 255).float()


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
