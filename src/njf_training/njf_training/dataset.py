"""The dataset on disc: settled states of a robot in calibrated cameras, and flow between them.

Layout of the folder (T states, C cameras, P pairs, n channels):

    dataset.json     format, robot, channels, cameras, settings
    images.npy       uint8 [T, C, H, W, 3]
    background.npy   uint8 [C, H, W, 3]          the scene without what moves
    masks.npy        uint8 [T, C, ceil(H W / 8)] packed bits: what differs from the background
    commands.npy     float64 [T, n]              applied set-points, unit of the channel
    trajectory.npy   int32 [T]
    pairs.npy        int32 [P, 2]                states before and after a small motion
    flow.npy         float16 [P, C, H/2, W/2, 2] px of the full image, NaN unknown
    depth.npy        float16 [T, C, H/2, W/2]    [m], NaN unknown; only where cameras measure depth
    tracks.npy       float32 [P, C, N, 4]        (u, v, du, dv) [px], NaN unused; optional. First
                     N/2 points of the robot, then N/2 still points beside it
    truth.npz        evaluation only, where there is a simulator: joint_names, joint_positions
    exact_flow.npy   like flow.npy, from the simulator; evaluation and upper bounds only

docs/dataset.md says how each source fills it.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float16, Float32, Int, Int32, UInt8
from pydantic import Field, ValidationError

from njf_perception.camera import Camera
from njf_perception.config import Config
from njf_perception.errors import DataError

FORMAT_VERSION = 1
Role = Literal["control", "training", "held_out"]
HELD_OUT_SHARE = 0.1  # of the trajectories, the last ones; half validates, half tests


class DatasetCamera(Config):
    """A camera of the dataset."""

    name: str
    role: Role
    width: int = Field(gt=0, description="[px]")
    height: int = Field(gt=0, description="[px]")
    K: list[list[float]] = Field(description="intrinsic matrix [px]")
    T_world_camera: list[list[float]] = Field(description="pose of the optical frame [m]")

    @classmethod
    def of(
        cls, camera: Camera, role: Literal["control", "training", "held_out"]
    ) -> "DatasetCamera":
        """Describe a calibrated camera."""
        return cls(
            name=camera.name,
            role=role,
            width=camera.width,
            height=camera.height,
            K=camera.K.tolist(),
            T_world_camera=camera.T_world_camera.tolist(),
        )

    @property
    def camera(self) -> Camera:
        """As the geometry code wants it."""
        pose = np.array(self.T_world_camera)
        return Camera(self.name, self.width, self.height, np.array(self.K), pose)


class DatasetInfo(Config):
    """dataset.json."""

    format: int = FORMAT_VERSION
    robot: str
    channel_names: list[str]
    channel_units: list[str]
    cameras: list[DatasetCamera]
    states: int
    pairs: int
    bags: list[str] = Field(description="names of the bags it was made from")
    settings: dict[str, float | int | str | bool | None] = Field(description="of the conversion")
    content_id: str = Field(description="hash of all arrays")


class Split(NamedTuple):
    """Rows of `Dataset.pairs` by what they are for."""

    training: Int[np.ndarray, " a"]
    validation: Int[np.ndarray, " b"]  # watched while training; calibrates the confidence
    test: Int[np.ndarray, " c"]  # for the judge alone


@dataclass(frozen=True)
class Dataset:
    """An opened dataset; arrays are memory-mapped when first used."""

    ARRAYS = (
        "images", "background", "masks", "commands", "trajectory", "pairs", "flow", "depth",
        "tracks",
    )  # fmt: skip

    folder: Path
    info: DatasetInfo

    @staticmethod
    def open(folder: str | Path) -> "Dataset":
        """Open a dataset.

        Raises:
            DataError: the folder holds no dataset, or one of another format.
        """
        file = Path(folder) / "dataset.json"
        try:
            info = DatasetInfo.model_validate_json(file.read_text())
        except FileNotFoundError:
            raise DataError(
                f"{file}: no such file. Make a dataset with `njf bag-to-dataset`."
            ) from None
        except ValidationError as error:
            raise DataError(f"{file}: not a dataset description: {error}. Convert again.") from None
        if info.format != FORMAT_VERSION:
            raise DataError(
                f"{file}: format {info.format}, expected {FORMAT_VERSION}. Convert the bag again."
            )
        return Dataset(Path(folder), info)

    @property
    def robot(self) -> str:
        """Name of the robot."""
        return self.info.robot

    @property
    def channel_names(self) -> list[str]:
        """Order of the columns of `commands`."""
        return self.info.channel_names

    @property
    def channel_units(self) -> list[str]:
        """SI unit per channel."""
        return self.info.channel_units

    @property
    def cameras(self) -> list[DatasetCamera]:
        """Cameras in the order of every array's camera axis."""
        return self.info.cameras

    @property
    def camera_names(self) -> list[str]:
        """Names of `cameras`."""
        return [camera.name for camera in self.cameras]

    @property
    def control_camera(self) -> Camera:
        """The camera of the control loop."""
        return next(camera.camera for camera in self.cameras if camera.role == "control")

    @cached_property
    def images(self) -> UInt8[np.ndarray, "t c h w 3"]:
        """RGB images."""
        return self._array("images")

    @cached_property
    def background(self) -> UInt8[np.ndarray, "c h w 3"]:
        """The scene without what moves."""
        return self._array("background")

    @cached_property
    def masks(self) -> UInt8[np.ndarray, "t c bytes"]:
        """Packed masks, see `mask`."""
        return self._array("masks")

    @cached_property
    def commands(self) -> Float[np.ndarray, "t n"]:
        """Applied set-points [unit of the channel]."""
        return self._array("commands")

    @cached_property
    def trajectory(self) -> Int32[np.ndarray, " t"]:
        """Trajectory each state belongs to."""
        return self._array("trajectory")

    @cached_property
    def pairs(self) -> Int32[np.ndarray, "p 2"]:
        """States before and after a small motion."""
        return self._array("pairs")

    @cached_property
    def flow(self) -> Float16[np.ndarray, "p c h2 w2 2"]:
        """Estimated flow at full-image pixels (2c + 0.5, 2r + 0.5) [px]; NaN unknown."""
        return self._array("flow")

    @cached_property
    def depth(self) -> Float16[np.ndarray, "t c h2 w2"] | None:
        """Measured depth at full-image pixels (2c + 0.5, 2r + 0.5) [m], NaN unknown; or None."""
        return self._optional("depth")

    @cached_property
    def tracks(self) -> Float32[np.ndarray, "p c n 4"] | None:
        """Point tracks (u, v, du, dv) [px], robot first, NaN unused; or None. See `tracks.py`."""
        return self._optional("tracks")

    @cached_property
    def exact_flow(self) -> Float16[np.ndarray, "p c h2 w2 2"] | None:
        """The simulator's flow where `flow` was estimated; or None. For judging only."""
        return self._optional("exact_flow")

    def mask(self, state: int, camera: int) -> Bool[np.ndarray, "h w"]:
        """Where the moving robot is in one image."""
        height, width = self.cameras[camera].height, self.cameras[camera].width
        bits = np.unpackbits(np.asarray(self.masks[state, camera]), count=height * width)
        return bits.astype(bool).reshape(height, width)

    @property
    def command_center(self) -> Float[np.ndarray, " n"]:
        """Middle of the recorded set-points [unit of the channel]."""
        return (self.commands.min(0) + self.commands.max(0)) / 2

    @property
    def command_half_range(self) -> Float[np.ndarray, " n"]:
        """Half the span of the recorded set-points [unit of the channel]."""
        return (self.commands.max(0) - self.commands.min(0)) / 2

    def normalized_commands(self) -> Float[np.ndarray, "t n"]:
        """(commands - center) / half_range, so within -1..1."""
        return (self.commands - self.command_center) / self.command_half_range

    def split(self) -> Split:
        """Rows of `pairs` by use, trajectories whole; see `Split`."""
        trajectories = np.unique(self.trajectory)
        count = len(trajectories)
        held_out = max(1, min(2, count - 1), round(HELD_OUT_SHARE * count))
        first_held_out, first_test = trajectories[[-held_out, held_out // 2 - held_out]]
        of_pair = self.trajectory[self.pairs[:, 0]]
        return Split(
            np.flatnonzero(of_pair < first_held_out),
            np.flatnonzero((of_pair >= first_held_out) & (of_pair < first_test)),
            np.flatnonzero(of_pair >= first_test),
        )

    def _optional(self, name: str) -> np.ndarray | None:
        return self._array(name) if (self.folder / f"{name}.npy").exists() else None

    def _array(self, name: str) -> np.ndarray:
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")
