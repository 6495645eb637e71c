"""What the simulated stand-in of a robot is made of: an MJCF file and what is added to it.

A robot that is there needs none: nothing is ever asked of a model but to stand in for hardware.
"""

from typing import Annotated

from pydantic import Field

from njf_perception.config import Config

Point = Annotated[list[float], Field(min_length=3, max_length=3)]


class CameraPlacesConfig(Config):
    """Places of the cameras that the MJCF file lacks: on a ring that looks at the robot.

    Control and training cameras stand evenly around it, held-out cameras between them.
    """

    look_at_m: Point | None = Field(
        default=None,
        description="point in the middle of every image [m], world frame; None: the middle of the "
        "workspace",
    )
    distance_m: float | None = Field(
        default=None,
        gt=0,
        description="distance from that point [m]; None: the least from which the ellipsoid in "
        "the workspace's box is in the image",
    )
    azimuth_rad: float = Field(
        default=-1.0, description="of the first camera: 0 looks from +x, pi/2 from +y [rad]"
    )
    elevations_rad: list[Annotated[float, Field(gt=-1.5, lt=1.5)]] = Field(
        default=[0.6, 0.35, 0.9],
        min_length=1,
        description="angles above the horizon, one camera after the other, over and over [rad]",
    )
    field_of_view_rad: float = Field(
        default=0.63, gt=0.05, lt=2.5, description="from the image's top to its bottom [rad]"
    )
    positions_m: dict[str, Point] = Field(
        default={}, description="cameras that are not on the ring, and where they are [m]"
    )


class SiteConfig(Config):
    """A point on a body."""

    body: str = Field(description="body of the MJCF file that carries the point")
    position_m: Point = Field(
        default=[0.0, 0.0, 0.0], description="where it is in the body's frame [m]"
    )


class SpeckleConfig(Config):
    """Paint with something to track, on every geom that has no speckle of its own.

    Black, white and glossy surfaces become grey and dull enough to show it.
    """

    contrast: float = Field(
        default=0.35, gt=0, le=1, description="share by which the colour varies"
    )
    size_m: float | None = Field(
        default=None,
        gt=0,
        description="of one spot [m]; None: a fortieth of the workspace's longest side",
    )


class AdditionsConfig(Config):
    """What a model that was not made for this project lacks; each only where it is asked for."""

    cameras: CameraPlacesConfig | None = Field(
        default=None,
        description="places of the cameras that the MJCF file lacks; `{}`: with the defaults",
    )
    sites: dict[str, SiteConfig] = Field(
        default={}, description="points to judge the robot by, by their new names"
    )
    speckle: SpeckleConfig | None = Field(
        default=None, description="paint with something to track; `{}`: with the defaults"
    )
    floor_m: float | None = Field(default=None, description="height of a floor to add [m]")


class SimulationConfig(Config):
    """The simulated stand-in of the robot."""

    mjcf: str = Field(
        default="",
        description="MJCF file: beside the robot's file, or in njf_sim/models; or "
        "`menagerie:<robot>` or `menagerie:<robot>/<model>` from MuJoCo Menagerie; empty: there is "
        "no stand-in, only hardware",
    )
    add: AdditionsConfig = Field(default=AdditionsConfig(), description="what the MJCF file lacks")
    tips: list[str] = Field(
        default=["tip"], min_length=1, description="sites whose positions are judged"
    )
    hold: dict[str, float] = Field(
        default={}, description="actuators that are no channel, and their fixed value [unit]"
    )
    gravity: bool = Field(
        default=True,
        description="false: no weight pulls at the servos, as if they compensated for it",
    )
    settle_s: float = Field(
        default=1.5, gt=0, le=20, description="longest time to come to rest after a command [s]"
    )
    backlash_rad: float = Field(default=0.0, ge=0, le=0.1, description="play of each servo [rad]")
    delay_s: float = Field(
        default=0.0, ge=0, le=0.2, description="delay from goal position to motion [s]"
    )
