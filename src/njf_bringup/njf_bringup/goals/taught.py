"""What a person showed the robot: where it shall go, as pictures and pixels."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int64, UInt8
from pydantic import AwareDatetime, Field, NonNegativeInt

from njf_bringup.goals.point_paths import PointPaths, straight_paths
from njf_perception.config import Config
from njf_perception.errors import DataError
from njf_perception.trackers.base import Tracks

Kind = Literal["tracks", "image", "demonstration", "csv"]


class GoalFile(Config):
    """`goal.yaml` of a saved goal: what it is, and the camera that it was taught with."""

    format: Literal[1] = Field(default=1, description="version of this format")
    kind: Kind = Field(
        description="tracks: picked points; image: a goal image; demonstration: points tracked "
        "through a video; csv: a table of tracks from elsewhere"
    )
    robot: str = Field(min_length=1, description="name of the robot")
    camera: str = Field(min_length=1, description="camera in whose pixels the goal is given")
    width_px: int = Field(gt=0, description="image width [px]")
    height_px: int = Field(gt=0, description="image height [px]")
    created: AwareDatetime = Field(description="when it was saved, with its time zone")
    spots: list[NonNegativeInt] | None = Field(
        default=None,
        description="the spot that each point is part of, in the order of their numbers; a spot "
        "goes where it should however it turns; missing: every point counts by itself",
    )
    note: str = Field(default="", description="anything that a person wants to know of it")


@dataclass(frozen=True)
class TaughtGoal:
    """A goal, independent of where the robot stands now.

    Attributes:
        kind: how it was taught.
        start: picture in which the points were picked, if there is one.
        goal: picture that the camera shall see at the end, if there is one.
        paths: where the points begin, go and end; None for a goal image alone.
        video: file of the demonstration.
        note: anything that a person wants to know of it.
    """

    kind: Kind
    start: UInt8[np.ndarray, "h w 3"] | None = None
    goal: UInt8[np.ndarray, "h w 3"] | None = None
    paths: PointPaths | None = None
    video: Path | None = None
    note: str = ""

    def require(self, width_px: int, height_px: int) -> None:
        """See that all parts of its kind are there and fit the camera's image.

        Raises:
            DataError: one is missing, or has another size; the message says which.
        """
        needed = {
            "tracks": {"start": self.start, "paths": self.paths},
            "image": {"goal": self.goal},
            "demonstration": {
                "start": self.start,
                "goal": self.goal,
                "paths": self.paths,
                "video": self.video,
            },
            "csv": {"paths": self.paths},
        }[self.kind]
        missing = [name for name, part in needed.items() if part is None]
        if missing:
            raise DataError(f"a goal of kind '{self.kind}' needs {' and '.join(missing)}.")
        for name, picture in (("start", self.start), ("goal", self.goal)):
            if picture is not None and picture.shape[:2] != (height_px, width_px):
                raise DataError(
                    f"the {name} picture has {picture.shape[1]} x {picture.shape[0]} px, the "
                    f"camera {width_px} x {height_px}. Take it with this camera at this size."
                )
        if self.paths is not None:
            _require_spots(self.paths)
            if not self.paths.visible[0].all():
                unseen = self.paths.ids[~self.paths.visible[0]].tolist()
                raise DataError(
                    f"points {unseen} are not visible where they begin. Leave them out."
                )
            _require_inside(self.paths.start, "begin", width_px, height_px)
            _require_inside(self.paths.end, "end", width_px, height_px)


def image_goal(picture: UInt8[np.ndarray, "h w 3"], note: str = "") -> TaughtGoal:
    """The robot shall stand so that the camera sees this picture (RGB)."""
    return TaughtGoal("image", goal=picture, note=note)


def tracks_goal(
    picture: UInt8[np.ndarray, "h w 3"],
    start_px: Float[np.ndarray, "n 2"],
    goal_px: Float[np.ndarray, "n 2"],
    note: str = "",
    spots: Int64[np.ndarray, " n"] | None = None,
) -> TaughtGoal:
    """What is at `start_px` in this picture (RGB) shall go to `goal_px`, in the same order.

    With `spots`, the number of each point's spot, it is the spots that shall go there.

    Raises:
        DataError: there is no point, or not one target for each.
    """
    if len(start_px) != len(goal_px) or len(start_px) == 0:
        raise DataError(
            f"{len(start_px)} points with {len(goal_px)} targets; expected at least one point, and "
            "a target for each."
        )
    paths = straight_paths(start_px, goal_px, spots)
    return TaughtGoal("tracks", start=picture, paths=paths, note=note)


def _require_spots(paths: PointPaths) -> None:
    if paths.spots is None:
        return
    if len(paths.spots) != len(paths.ids):
        raise DataError(
            f"{len(paths.spots)} spots are given for {len(paths.ids)} points. Give each point the "
            "number of its spot, or no spots."
        )
    if paths.is_way:
        raise DataError("the points of a way cannot be spots. Leave the spots out.")


def _require_inside(tracks: Tracks, what: str, width_px: int, height_px: int) -> None:
    for u, v in tracks.points[tracks.visible].tolist():
        inside = -0.5 <= u <= width_px - 0.5 and -0.5 <= v <= height_px - 0.5
        if not (math.isfinite(u) and math.isfinite(v) and inside):
            raise DataError(
                f"the points {what} at ({u:g}, {v:g}) px, outside the image of {width_px} x "
                f"{height_px} px. Give pixels of the camera's image."
            )
    if not tracks.visible.any():
        raise DataError(f"no point is visible where the points {what}. Give points that are seen.")
