"""The robots of an ablation's data: more cameras, or less of the range."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

from njf_control.robot import CameraConfig, RobotConfig
from njf_sim.robot_model import RobotModel


def with_all_cameras(robot: RobotConfig) -> RobotConfig:
    """The robot with every camera of its MJCF file; those that its file leaves out train."""
    model = RobotModel.from_robot(robot).model
    size = robot.control_camera
    more = [
        CameraConfig(name=name, role="training", width=size.width, height=size.height)
        for name in (model.camera(i).name for i in range(model.ncam))
        if name not in robot.camera_names
    ]
    return robot.model_copy(update={"cameras": [*robot.cameras, *more]})


def within(robot: RobotConfig, share: float) -> RobotConfig:
    """The robot with every channel's range cut to `share` of it, around its middle."""
    channels = []
    for channel in robot.channels:
        middle, reach = (channel.lower + channel.upper) / 2, (channel.upper - channel.lower) / 2
        limits = {"lower": middle - share * reach, "upper": middle + share * reach}
        channels.append(channel.model_copy(update=limits))
    return robot.model_copy(update={"channels": channels})


def training_cameras(robot: RobotConfig) -> list[str]:
    """Names of the cameras to learn from, the control camera first."""
    others = [camera.name for camera in robot.cameras if camera.role == "training"]
    return [robot.control_camera.name, *others]
