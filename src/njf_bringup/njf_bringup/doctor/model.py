"""Whether the checkpoint is the robot's, down to the camera of the loop."""

import shlex
from pathlib import Path

from njf_bringup.doctor import mend
from njf_bringup.doctor.check import Check
from njf_bringup.paths import data_folder
from njf_control.robot import CameraConfig, RobotConfig
from njf_perception.errors import CheckpointError


def checkpoint(path: Path, robot: RobotConfig, given: str) -> Check:
    """The model file is readable, made for this robot and camera, and fits the code's networks.

    `given` is how the user names the robot: a name, or the path of its file.
    """
    from njf_control.jacobian import load_jacobian
    from njf_perception.checkpoint import load_checkpoint

    try:
        loaded = load_checkpoint(path)
        loaded.require(robot.name, robot.channel_names)
        load_jacobian(loaded, loaded.scene_model())
    except CheckpointError as error:
        return _failed(str(error), path, given)
    except RuntimeError as error:  # torch: other layers than the code's
        detail = f"{path} does not fit this version's networks: {str(error).splitlines()[0]}"
        return _failed(detail, path, given)
    trained = loaded.info.camera
    if trouble := _of_camera(trained.name, (trained.width, trained.height), robot.control_camera):
        return _failed(f"{path} {trouble}", path, given)
    detail = f"{path} ({loaded.content_id}) fits robot {robot.name}"
    if loaded.reference is None:
        lack = "but has no reference view: a camera that was bumped goes unnoticed"
        return Check("checkpoint", "note", f"{detail}, {lack}")
    return Check("checkpoint", "ok", f"{detail}, with its reference view")


def _of_camera(name: str, size: tuple[int, int], control: CameraConfig) -> str:
    """How the camera of training differs from that of the loop, which may be finer; else ""."""
    if name != control.name:
        return (
            f"was trained for camera '{name}', the robot's file gives the role control to "
            f"'{control.name}': use that camera, or train again"
        )
    width, height = size
    if control.width < width or control.width * height != width * control.height:
        return (
            f"was trained on images of {width} x {height} px, camera '{name}' of the robot's file "
            f"has {control.width} x {control.height}: set that size or a multiple, or train again"
        )
    return ""


def _failed(detail: str, path: Path, given: str) -> Check:
    """A failed check. Who trained a robot of his own has the model where `njf train` left it."""
    command = mend.train(given)
    trained = data_folder(given) / "training" / "checkpoint.pt"
    if command.startswith("njf train") and trained.is_file() and not _same(trained, path):
        detail += f" There is {trained}, of a training of this robot."
        options = f"--robot {shlex.quote(given)} --checkpoint {shlex.quote(str(trained))}"
        command = f"njf doctor {options}   # and njf up with the same"
    return Check("checkpoint", "failed", detail, command)


def _same(one: Path, other: Path) -> bool:
    return one.absolute() == other.absolute()
