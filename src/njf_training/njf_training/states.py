"""Which settled states of a recording enter a dataset, and in which pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int32
from pydantic import Field

from njf_control.robot import RobotConfig
from njf_perception.config import Config
from njf_perception.errors import DataError
from njf_training.bag_contents import Contents, Mark


class ConvertOptions(Config):
    """How a dataset is made."""

    pairs: Literal["consecutive", "all"] = Field(
        default="consecutive",
        description="within a trajectory: with the next state, or with all later",
    )
    max_distance: float = Field(
        default=0.35,
        gt=0,
        le=2,
        description="largest change of a channel in a pair [of half its range]",
    )
    flow_cameras: int = Field(
        default=6, ge=1, description="cameras per pair in which flow is estimated"
    )
    tracks: int = Field(
        default=0, ge=0, description="points tracked per pair and camera, for tracks.npy; 0: none"
    )
    workers: int = Field(default=2, ge=1, le=256, description="processes for masks and flow")


@dataclass(frozen=True)
class State:
    """A settled state whose images are all there."""

    bag: int
    trajectory: int
    step: int
    mark: Mark


def check_same_rig(contents: Sequence[Contents], robot: RobotConfig | None) -> None:
    """Raise DataError unless all bags show the same robot (`robot`, if given) in the same rig."""
    first = contents[0]
    expected = robot or first.robot
    for item in contents:
        for what, came, wanted in (
            ("robot", item.robot.name, expected.name),
            ("channels", item.robot.channel_names, expected.channel_names),
            ("cameras", item.robot.camera_names, expected.camera_names),
        ):
            if came != wanted:
                raise DataError(
                    f"{item.path}: recorded with {what} {came}, expected {wanted}. "
                    "Name the robot the bag was recorded with."
                )
        for a, b in zip(item.cameras, first.cameras, strict=True):
            if not (np.allclose(a.K, b.K) and np.allclose(a.T_world_camera, b.T_world_camera)):
                raise DataError(
                    f"{item.path}: {a.name} is calibrated otherwise than in {first.path}. "
                    "Convert the bags to separate datasets."
                )


def complete_states(contents: Sequence[Contents]) -> list[State]:
    """States with all images and depths, trajectories numbered through over all bags."""
    numbers: dict[tuple[int, int], int] = {}
    states = []
    for bag, item in enumerate(contents):
        for mark in item.marks:
            stamps = mark.image_stamps_ns
            names = item.robot.image_streams
            if all(stamps.get(name) in item.image_stamps_ns.get(name, ()) for name in names):
                number = numbers.setdefault((bag, mark.trajectory), len(numbers))
                states.append(State(bag, number, mark.step, mark))
    if not states:
        raise DataError(
            f"{contents[0].path}: not one settled state has an image of every camera "
            f"({contents[0].robot.image_streams}). Record again with all cameras running."
        )
    return states


def choose_pairs(
    states: Sequence[State], options: ConvertOptions, half_range: Float[np.ndarray, " n"]
) -> Int32[np.ndarray, "p 2"]:
    """States before and after a small motion, see `ConvertOptions`."""
    pairs = []
    for i, before in enumerate(states):
        for j in range(i + 1, len(states)):
            after = states[j]
            if after.trajectory != before.trajectory:
                break
            if options.pairs == "consecutive" and after.step != before.step + 1:
                break
            distance = np.abs(after.mark.applied - before.mark.applied) / half_range
            if distance.max() <= options.max_distance:
                pairs.append((i, j))
    return np.array(pairs, np.int32).reshape(-1, 2)
