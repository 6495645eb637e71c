"""The files that a calibration becomes, and writing them whole or not at all."""

import itertools
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml
from jaxtyping import Float
from pydantic import Field, model_validator
from scipy.spatial.transform import Rotation

from njf_perception.calibration.lens import Lens
from njf_perception.calibration.rig import RigCalibration
from njf_perception.config import Config, load_config
from njf_perception.errors import DataError

_UNIT = 1e-6  # how far from one a quaternion's length may be


class CameraPose(Config):
    """Where one camera stands."""

    frame: str = Field(description="its optical frame")
    position_m: list[float] = Field(min_length=3, max_length=3, description="in the parent [m]")
    quaternion_xyzw: list[float] = Field(
        min_length=4, max_length=4, description="rotation from the optical frame to the parent"
    )
    position_std_m: float | None = Field(
        default=None, ge=0, description="standard deviation, the largest axis [m]"
    )
    rotation_std_rad: float | None = Field(
        default=None, ge=0, description="standard deviation, the largest axis [rad]"
    )
    error_px: float | None = Field(default=None, ge=0, description="reprojection error, RMS [px]")
    views: int | None = Field(default=None, ge=0, description="used")

    @model_validator(mode="after")
    def _is_rotation(self) -> "CameraPose":
        length = float(np.linalg.norm(self.quaternion_xyzw))
        if abs(length - 1) > _UNIT:
            raise ValueError(f"quaternion_xyzw has length {length}, expected 1")
        return self

    @property
    def matrix(self) -> Float[np.ndarray, "4 4"]:
        """T_parent_camera."""
        T = np.eye(4)
        T[:3, :3] = Rotation.from_quat(self.quaternion_xyzw).as_matrix()
        T[:3, 3] = self.position_m
        return T


class CameraPoses(Config):
    """Where a rig's cameras stand: camera_poses.yaml, which the node camera_poses publishes."""

    parent_frame: str = Field(default="world", description="frame that the poses are in")
    cameras: dict[str, CameraPose] = Field(description="by camera")


def load_camera_poses(path: str | Path) -> CameraPoses:
    """Read camera_poses.yaml.

    Raises:
        ConfigError: missing, or not of that form.
    """
    return load_config(path, CameraPoses)


def camera_poses(rig: RigCalibration) -> CameraPoses:
    """What camera_poses.yaml says about a calibrated rig."""
    figures = rig.figures()
    poses = {}
    for name, T in sorted(rig.solution.T_world_camera.items()):
        of_camera = figures[name]
        poses[name] = CameraPose(
            frame=f"{name}_optical_frame",
            position_m=T[:3, 3].round(6).tolist(),
            quaternion_xyzw=Rotation.from_matrix(T[:3, :3]).as_quat().round(9).tolist(),
            position_std_m=round(of_camera.position_std_m, 7),
            rotation_std_rad=round(of_camera.rotation_std_rad, 7),
            error_px=round(of_camera.error_px, 4),
            views=of_camera.views,
        )
    return CameraPoses(cameras=poses)


def camera_info_text(name: str, lens: Lens) -> str:
    """A camera_info YAML file, as ROS' camera_calibration writes it."""
    projection = np.hstack([lens.K, np.zeros((3, 1))])
    return _yaml(
        {
            "image_width": lens.width,
            "image_height": lens.height,
            "camera_name": name,
            "camera_matrix": _matrix(lens.K),
            "distortion_model": lens.model,
            "distortion_coefficients": _matrix(lens.distortion[None]),
            "rectification_matrix": _matrix(np.eye(3)),
            "projection_matrix": _matrix(projection),
        }
    )


def camera_poses_text(poses: CameraPoses) -> str:
    """camera_poses.yaml."""
    return _yaml(poses.model_dump())


def parameters_text(folder: Path, cameras: Mapping[str, Lens]) -> str:
    """ROS parameters by which each camera's node loads its file in `folder`."""
    files = {name: str(folder.absolute() / f"{name}.yaml") for name in sorted(cameras)}
    return _yaml(
        {
            f"/**/{name}_driver": {"ros__parameters": {"calibration": file}}
            for name, file in files.items()
        }
    )


def refuse_existing(paths: list[Path], overwrite: bool) -> None:
    """Ask before work is done that could not be written.

    Raises:
        DataError: one of the files exists, and `overwrite` is not wanted.
    """
    existing = [path for path in paths if path.exists()]
    if existing and not overwrite:
        raise DataError(
            f"{existing[0]} exists already. Give another --out, or --overwrite to replace it."
        )


def refuse_unwritable(folder: Path) -> None:
    """Ask before work is done that could not be written.

    Raises:
        DataError: the folder cannot be made, or nothing can be written to it.
    """
    lineage = (folder.absolute(), *folder.absolute().parents)
    there = next(path for path in lineage if os.path.exists(path))  # Path's raises where denied
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise DataError(
            f"{folder} cannot be written: {there} is no folder that one may write to. Give another "
            "--out."
        )


def free_path(path: Path) -> Path:
    """The path itself, or with the first number from 2 on behind its stem that is not taken."""
    numbered = (path.with_stem(f"{path.stem}_{number}") for number in itertools.count(2))
    return next(p for p in itertools.chain([path], numbered) if not p.exists())


def write_files(contents: Mapping[Path, str | bytes], overwrite: bool) -> None:
    """Write all files or none: each beside its place first, then all are moved there.

    Raises:
        DataError: a file exists and is not to be overwritten, or cannot be written.
    """
    refuse_existing(list(contents), overwrite)
    ready: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.tmp")
            ready[path] = temporary
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        for path, temporary in ready.items():
            os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"{error.filename} cannot be written: {error.strerror}.") from None
    finally:
        for temporary in ready.values():
            temporary.unlink(missing_ok=True)


def _matrix(values: Float[np.ndarray, "rows cols"]) -> dict[str, object]:
    rows, cols = values.shape
    return {"rows": rows, "cols": cols, "data": [float(value) for value in values.ravel()]}


def _yaml(content: object) -> str:
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)
