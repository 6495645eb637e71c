"""What each camera's node will ask of its device, from the node graph and the parameters' file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from njf_bringup.doctor.ros_parameters import parameters_of
from njf_bringup.graph import NodeSpec
from njf_perception.cameras.uvc import UvcConfig
from njf_perception.config import Config, parse_config

_NODE = UvcConfig()  # what a camera node asks of its device when nobody says otherwise
_UNSET = ("", -1)  # how a flat parameter says that it is not set


class CameraPlan(Config):
    """One camera. Its defaults are those of the camera node."""

    name: str = Field(description="of the camera")
    width: int = Field(gt=0, description="image width [px]")
    height: int = Field(gt=0, description="image height [px]")
    source: Literal["uvc", "realsense", "video", "bag"] = _NODE.source
    device: str = Field(
        default=_NODE.device, description="of a USB camera; empty: no file was given"
    )
    fourcc: str = _NODE.fourcc
    rate_hz: float = Field(default=_NODE.rate_hz, gt=0, description="[Hz]")
    depth: bool = Field(default=False, description="a RealSense sends depth, too")
    is_assumed: bool = Field(default=False, description="no file says so: all of these defaults")

    @property
    def mode(self) -> str:
        """Such as MJPG 640x480 at 30 fps."""
        return f"{self.fourcc} {self.width}x{self.height} at {self.rate_hz:g} fps"


def plans(nodes: Sequence[NodeSpec], params_file: str | Path = "") -> list[CameraPlan]:
    """The plans of the camera nodes among `nodes`; `params_file` is "" when there is none.

    Raises:
        ConfigError: the file is no file of ROS parameters, or a value in it does not fit.
    """
    return [_plan(node, params_file) for node in nodes if node.executable == "camera"]


def _plan(node: NodeSpec, params_file: str | Path) -> CameraPlan:
    given = parameters_of(node.full_name, params_file) if params_file else {}
    values = {
        key: value
        for key, value in (node.parameters | given).items()
        if key in CameraPlan.model_fields and value not in _UNSET
    }
    fixed = {"name": node.parameters["camera"], "is_assumed": not given}
    if not params_file:
        fixed["device"] = ""
    return parse_config(values | fixed, CameraPlan, f"{params_file or 'graph'}: {node.full_name}")
