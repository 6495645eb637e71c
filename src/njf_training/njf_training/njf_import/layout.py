"""The published folder layout, read and checked; no image is opened here.

    transforms.json                         cameras, and one entry per frame and camera
    view_{c}/rgb/{traj}_{frame}.png         RGB
    view_{c}/depth/{traj}_{frame}.png       [mm], optional
    view_{c}/mask/{traj}_{frame}.npy        the robot, optional
    view_{c}/flow/{traj}_{frame}_fwd.npz    flow to the next frame, and _bwd to the last; optional
    view_{c}/tapir/{traj}_001.npz           point tracks, also named _000; optional

Where the other files of a frame are follows from the folders, never from replacing text in a path.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from njf_perception.errors import DataError

CALIBRATION_KEYS = (
    "fl_x", "fl_y", "cx", "cy", "h", "w", "camera_model", "k1", "k2", "k3", "k4", "p1", "p2",
)  # fmt: skip


class RawCamera(BaseModel):
    """A camera of transforms.json; keys that say nothing about geometry are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    transform_matrix: list[Annotated[list[float], Field(min_length=4, max_length=4)]] = Field(
        min_length=3, max_length=4, description="camera to world, OpenGL axes [m]"
    )
    fl_x: float = Field(gt=0, description="focal length [px]")
    fl_y: float = Field(gt=0, description="focal length [px]")
    cx: float = Field(description="principal point [px], pixel centres at integers")
    cy: float = Field(description="principal point [px], pixel centres at integers")
    h: int = Field(gt=0, description="image height [px]")
    w: int = Field(gt=0, description="image width [px]")
    camera_model: str = "OPENCV"
    k1: float = 0.0
    k2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    p1: float = 0.0
    p2: float = 0.0


class _RawFrame(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    file_path: str
    camera_idx: int = Field(ge=0)
    joint_pos: list[float]
    depth_file_path: str | None = None
    mask_path: str | None = None


@dataclass(frozen=True)
class Frame:
    """One image and where what belongs to it would be.

    Attributes:
        trajectory, frame: its numbers, as in the file's name.
        camera: index into the cameras.
        joint_pos: all values stored with it, absolute.
        image: the RGB image; may be missing on disc.
        depth, mask: files beside it; may be missing.
    """

    trajectory: int
    frame: int
    camera: int
    joint_pos: Float[np.ndarray, " m"]
    image: Path
    depth: Path
    mask: Path

    def flow(self, direction: str) -> list[Path]:
        """Candidates for the file of flow to the next ("fwd") or last ("bwd") frame."""
        folder = self.image.parent.parent / "flow"
        stems = (self.image.stem, f"{self.trajectory}_{self.frame}")
        return [folder / f"{stem}_{direction}.npz" for stem in stems]

    @property
    def tracks(self) -> list[Path]:
        """All files with point tracks of this frame's trajectory and camera."""
        folder = self.image.parent.parent / "tapir"
        return sorted(folder.glob(f"{self.trajectory:05d}_*.npz"))


@dataclass(frozen=True)
class Layout:
    """One published dataset."""

    file: Path
    cameras: list[RawCamera]
    frames: list[Frame]


def read_layout(source: Path) -> Layout:
    """Read transforms.json of a dataset's root, or the given .json file beside its views.

    Raises:
        DataError: the file is missing, is no such description or contradicts itself.
    """
    file = source if source.suffix == ".json" else source / "transforms.json"
    content = _read_json(file)
    if content.get("applied_scale", 1.0) != 1.0:
        raise DataError(
            f"{file}: poses were scaled by {content['applied_scale']}, so they are not in metres. "
            "Use the original poses."
        )
    shared = {key: content[key] for key in CALIBRATION_KEYS if key in content}
    try:
        cameras = [RawCamera.model_validate({**shared, **c}) for c in content["cameras"]]
        raw = [_RawFrame.model_validate(frame) for frame in content["frames"]]
    except KeyError as error:
        raise DataError(f"{file} has no {error}; expected cameras and frames.") from None
    except (TypeError, ValidationError) as error:
        raise DataError(f"{file}: {error}. Is it in the published layout?") from None
    return Layout(file, cameras, _checked([_frame(file, item) for item in raw], file, len(cameras)))


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"{file}: no such file. Name the folder that holds transforms.json."
        ) from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}. Is it a file?") from None
    except ValueError as error:
        raise DataError(f"{file}: not valid JSON: {error}. Download it again.") from None
    if not isinstance(content, dict):
        raise DataError(f"{file} holds a {type(content).__name__}, expected cameras and frames.")
    return content


def _frame(file: Path, raw: _RawFrame) -> Frame:
    image = file.parent / raw.file_path
    view = image.parent.parent
    numbers = image.stem.split("_")
    if image.parent.name != "rgb" or len(numbers) != 2 or not all(n.isdigit() for n in numbers):
        raise DataError(
            f"{file}: file_path {raw.file_path!r}, expected view_<c>/rgb/<trajectory>_<frame>.png."
        )
    if view.name != f"view_{raw.camera_idx}":
        raise DataError(
            f"{file}: {raw.file_path!r} is said to be of camera {raw.camera_idx}. "
            "One of the two is wrong."
        )
    depth = file.parent / raw.depth_file_path if raw.depth_file_path else None
    mask = file.parent / raw.mask_path if raw.mask_path else None
    return Frame(
        trajectory=int(numbers[0]),
        frame=int(numbers[1]),
        camera=raw.camera_idx,
        joint_pos=np.array(raw.joint_pos),
        image=image,
        depth=depth or view / "depth" / image.name,
        mask=mask or view / "mask" / f"{image.stem}.npy",
    )


def _checked(frames: list[Frame], file: Path, cameras: int) -> list[Frame]:
    """The frames, if no two are the same and all are of known cameras."""
    seen: set[tuple[int, int, int]] = set()
    for frame in frames:
        key = (frame.trajectory, frame.frame, frame.camera)
        if frame.camera >= cameras:
            raise DataError(f"{file}: a frame of camera {frame.camera}, but {cameras} cameras.")
        if key in seen:
            raise DataError(
                f"{file}: trajectory {key[0]}, frame {key[1]}, camera {key[2]} is listed twice."
            )
        seen.add(key)
    if not frames:
        raise DataError(f"{file} lists no frames.")
    return frames
