"""What a robot is, read from config/robots/<name>.yaml: channels, limits, driver, cameras."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from njf_control.drivers.allegro.config import AllegroConfig
from njf_control.drivers.pressure.config import PressureBoardConfig, VtemConfig
from njf_control.simulation_config import SimulationConfig
from njf_perception.config import Config, load_config

DEPTH_STREAM = "aligned_depth_to_color"  # below the camera's own namespace


class ChannelConfig(Config):
    """One command channel, in SI units of the channel."""

    name: str = Field(description="channel name, as on every topic")
    unit: Literal["rad", "Pa"] = Field(description="SI unit of the channel")
    lower: float = Field(description="smallest set-point [unit]")
    upper: float = Field(description="largest set-point [unit]")
    max_rate: float = Field(gt=0, description="largest change of the set-point [unit/s]")
    motor_id: int | None = Field(
        default=None, ge=0, le=252, description="id of the motor, on a bus whose motors have ids"
    )
    motor_direction: Literal[1, -1] = Field(
        default=1,
        description="-1 where the motor is mounted so that it turns against the channel",
    )
    motor_zero_rad: float = Field(
        default=0.0,
        description="where the motor stands when its channel is 0, from its own centre [rad]",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "ChannelConfig":
        if not self.lower < self.upper:
            raise ValueError(f"lower {self.lower} must be below upper {self.upper}")
        return self


class DynamixelConfig(Config):
    """Dynamixel servos on a serial bus."""

    kind: Literal["dynamixel"] = Field(
        description="driver family: dynamixel, servos on a bus; simulated, no hardware at all"
    )
    model: Literal["xl320", "ax12", "mx28", "xl430_w250", "xm430_w350", "xc330_t288"] = Field(
        description="motor model, names the control table"
    )
    port: str = Field(description="serial device; simulated servos are elsewhere")
    baud: int = Field(gt=0, description="serial speed [bit/s]")
    rate_hz: float = Field(gt=0, le=500, description="read-gate-write cycles per second [Hz]")
    effort_limit: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="largest effort of every motor, as a share of what it is set to allow: its "
        "torque limit, or its PWM in the X series",
    )
    bus_watchdog_s: float = Field(
        default=0.5,
        ge=0.02,
        le=2.54,
        description="a motor stops by itself when it heard nothing on the bus for this long; X "
        "series only, the others have no such watchdog [s]",
    )


class SimulatedConfig(Config):
    """A robot that exists only in the simulator, which is reached through a local socket."""

    kind: Literal["simulated"] = Field(
        description="driver family: dynamixel, servos on a bus; simulated, no hardware at all"
    )
    rate_hz: float = Field(gt=0, le=500, description="read-gate-write cycles per second [Hz]")


DriverConfig = Annotated[
    DynamixelConfig | AllegroConfig | VtemConfig | PressureBoardConfig | SimulatedConfig,
    Field(discriminator="kind"),
]


class SafetyConfig(Config):
    """Behaviour of the safety gate."""

    watchdog_timeout_s: float = Field(
        default=0.1,
        ge=0.02,
        le=0.5,
        description="hold when no valid command came for this long [s]",
    )
    max_first_step: float = Field(
        default=0.2,
        gt=0,
        description="largest distance of a first command from the measured state [unit]",
    )


class CameraConfig(Config):
    """One camera of the rig."""

    name: str = Field(description="topic namespace, such as camera_0")
    role: Literal["control", "training", "held_out"] = Field(
        description="control: the one camera of the loop (also trained on); training: only for "
        "learning; held_out: only to judge"
    )
    width: int = Field(gt=0, description="image width [px]")
    height: int = Field(gt=0, description="image height [px]")
    depth: bool = Field(
        default=False,
        description="the camera also sends depth, aligned to its images and of their size, on "
        "<name>/aligned_depth_to_color/image_raw",
    )

    @property
    def depth_stream(self) -> str:
        """Namespace of the depth images, as realsense-ros calls it."""
        return f"{self.name}/{DEPTH_STREAM}"


class RobotConfig(Config):
    """A robot, whole. See config/robots/finger.yaml."""

    name: str = Field(description="name of the robot, as in its checkpoints and datasets")
    channels: list[ChannelConfig] = Field(
        description="what can be commanded; their order is that of every array of channels"
    )
    driver: DriverConfig = Field(description="the hardware behind the channels, or its lack")
    safety: SafetyConfig = Field(description="what the gate before the hardware allows")
    cameras: list[CameraConfig] = Field(description="the rig; one camera has the role control")
    simulation: SimulationConfig = Field(
        default=SimulationConfig(), description="the simulated stand-in of the robot, if any"
    )
    rest_s: float = Field(
        default=0.0,
        ge=0,
        le=20,
        description="time from when the channels stand still until the robot does too; 0 unless "
        "it is soft [s]",
    )
    workspace_min_m: list[float] = Field(
        min_length=3, max_length=3, description="corner of the box the moving parts stay in [m]"
    )
    workspace_max_m: list[float] = Field(
        min_length=3, max_length=3, description="opposite corner [m], world frame"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "RobotConfig":
        for what, names in (("channel", self.channel_names), ("camera", self.camera_names)):
            if len(set(names)) != len(names) or not names:
                raise ValueError(f"{what} names must be unique and at least one: {names}")
        if self.driver.kind == "simulated" and not self.simulation.mjcf:
            raise ValueError("driver.kind is simulated, so simulation.mjcf has to name a model")
        if held := sorted(set(self.simulation.hold) & set(self.channel_names)):
            raise ValueError(f"simulation.hold fixes {held}, which are channels: name either once")
        if not (np.array(self.workspace_min_m) < self.workspace_max_m).all():
            raise ValueError(
                f"workspace_min_m {self.workspace_min_m} must be below workspace_max_m "
                f"{self.workspace_max_m} in every axis"
            )
        if self.driver.kind == "dynamixel":
            ids = self.motor_ids
            if None in ids or len(set(ids)) != len(ids):
                raise ValueError(f"every channel needs a motor_id of its own: {ids}")
        if isinstance(self.driver, AllegroConfig):
            self.driver.check_channels(self.channel_names)
        width, height = self.training_size
        for camera in self.cameras:
            factor = camera.width / width
            if factor % 1 or camera.height != factor * height:
                raise ValueError(
                    f"{camera.name} is {camera.width}x{camera.height}, which is no whole multiple "
                    f"of the smallest camera's {width}x{height}"
                )
        if sum(camera.role == "control" for camera in self.cameras) != 1:
            raise ValueError("exactly one camera must have role: control")
        return self

    @property
    def channel_names(self) -> list[str]:
        """Channel names in the robot's order, the order of every array of channels."""
        return [channel.name for channel in self.channels]

    @property
    def channel_units(self) -> list[str]:
        """SI unit per channel."""
        return [channel.unit for channel in self.channels]

    @property
    def motor_ids(self) -> list[int | None]:
        """Id of each channel's motor; None where its bus has no ids."""
        return [channel.motor_id for channel in self.channels]

    @property
    def camera_names(self) -> list[str]:
        """Camera names in the order of the file."""
        return [camera.name for camera in self.cameras]

    @property
    def image_streams(self) -> list[str]:
        """Namespaces of everything the rig's cameras send: images, and depth where they have it."""
        depth = [camera.depth_stream for camera in self.cameras if camera.depth]
        return [*self.camera_names, *depth]

    @property
    def control_camera(self) -> CameraConfig:
        """The one camera of the control loop."""
        return next(camera for camera in self.cameras if camera.role == "control")

    @property
    def training_size(self) -> tuple[int, int]:
        """Width and height to which images are reduced for training: the smallest camera's [px].

        Points are tracked at a camera's own resolution, the finer the better; learning at the same
        resolution would only take longer.
        """
        return min((camera.width, camera.height) for camera in self.cameras)

    def with_training_size(self) -> "RobotConfig":
        """The same robot with all cameras at `training_size`."""
        width, height = self.training_size
        size = {"width": width, "height": height}
        cameras = [camera.model_copy(update=size) for camera in self.cameras]
        return self.model_copy(update={"cameras": cameras})

    @property
    def lower(self) -> Float[np.ndarray, " n"]:
        """Smallest set-points [channel unit]."""
        return np.array([channel.lower for channel in self.channels])

    @property
    def upper(self) -> Float[np.ndarray, " n"]:
        """Largest set-points [channel unit]."""
        return np.array([channel.upper for channel in self.channels])

    @property
    def max_rate(self) -> Float[np.ndarray, " n"]:
        """Largest rates of change [channel unit / s]."""
        return np.array([channel.max_rate for channel in self.channels])


def load_robot(path: str | Path) -> RobotConfig:
    """Read a robot's YAML file; an MJCF file that lies beside it is found there.

    Raises:
        ConfigError: the file is missing or does not describe a robot.
    """
    robot = load_config(path, RobotConfig)
    beside = Path(path).absolute().parent / robot.simulation.mjcf
    if not beside.is_file():
        return robot
    simulation = robot.simulation.model_copy(update={"mjcf": str(beside)})
    return robot.model_copy(update={"simulation": simulation})
