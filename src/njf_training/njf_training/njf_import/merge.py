"""From one or several published roots to the states and pairs of one dataset.

Roots number their trajectories independently of each other, so trajectories are numbered anew.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int32

from njf_perception.errors import DataError
from njf_training.njf_import.actions import ActionRule
from njf_training.njf_import.layout import Frame, Layout


@dataclass(frozen=True)
class ImportedState:
    """One moment of which every camera has an image.

    Attributes:
        trajectory: its number in the dataset.
        step: frames since the first one of its trajectory.
        setpoint: of the channels [their unit].
        frames: per camera.
    """

    trajectory: int
    step: int
    setpoint: Float[np.ndarray, " n"]
    frames: list[Frame]


def check_same_calibration(layouts: Sequence[Layout]) -> None:
    """Raise DataError unless all roots have the same cameras in the same places."""
    first = layouts[0]
    for other in layouts[1:]:
        if len(other.cameras) != len(first.cameras):
            raise DataError(
                f"{other.file} has {len(other.cameras)} cameras, {first.file} has "
                f"{len(first.cameras)}. Import them to separate datasets."
            )
        for index, (a, b) in enumerate(zip(other.cameras, first.cameras, strict=True)):
            ours, theirs = a.model_dump(), b.model_dump()
            unlike = [key for key in ours if not _alike(ours[key], theirs[key])]
            if unlike:
                raise DataError(
                    f"{other.file}: {', '.join(unlike)} of camera {index} differ from those in "
                    f"{first.file}. Import them to separate datasets."
                )


def _alike(a: object, b: object) -> bool:
    if isinstance(a, str):
        return a == b
    a, b = np.array(a, dtype=np.float64), np.array(b, dtype=np.float64)
    return a.shape == b.shape and bool(np.allclose(a, b, atol=1e-6))


def merge(layouts: Sequence[Layout], rule: ActionRule) -> tuple[list[ImportedState], int]:
    """States in order, and how many were left out because an image file is missing.

    Raises:
        DataError: no state is complete, or views of one state disagree on what was commanded.
    """
    states: list[ImportedState] = []
    left_out = number = 0
    for layout in layouts:
        for frames_of in _trajectories(layout).values():
            first = min(frames_of)
            for frame_number, frames in sorted(frames_of.items()):
                if not _complete(frames, len(layout.cameras)):
                    left_out += 1
                    continue
                setpoint = rule.commands(_joint_pos(layout, frames)[None])[0]
                ordered = [frames[camera] for camera in range(len(layout.cameras))]
                states.append(ImportedState(number, frame_number - first, setpoint, ordered))
            number += 1
    if not states:
        raise DataError(
            f"{layouts[0].file}: not one frame has an image of each of its "
            f"{len(layouts[0].cameras)} cameras: {_missing_views(layouts[0])}. Download the views "
            "that are missing."
        )
    lengths = {len(state.setpoint) for state in states}
    if len(lengths) > 1:
        raise DataError(
            f"{layouts[0].file}: joint_pos has {sorted(lengths)} values in different frames, "
            "expected as many in each. Import robots separately."
        )
    return states, left_out


def neighbours(states: Sequence[ImportedState]) -> Int32[np.ndarray, "p 2"]:
    """Rows of states that are one frame apart in the same trajectory.

    Raises:
        DataError: there are none.
    """
    pairs = [
        (row, row + 1)
        for row, (a, b) in enumerate(zip(states[:-1], states[1:], strict=True))
        if a.trajectory == b.trajectory and b.step == a.step + 1
    ]
    if not pairs:
        raise DataError(
            f"{len(states)} states, but no two of them are one frame apart. Frames of a trajectory "
            "need consecutive numbers."
        )
    return np.array(pairs, np.int32)


def _trajectories(layout: Layout) -> dict[int, dict[int, dict[int, Frame]]]:
    """Trajectory, frame and camera numbers to the frame, trajectories in order."""
    found: dict[int, dict[int, dict[int, Frame]]] = defaultdict(lambda: defaultdict(dict))
    for frame in layout.frames:
        found[frame.trajectory][frame.frame][frame.camera] = frame
    return dict(sorted(found.items()))


def _complete(frames: dict[int, Frame], cameras: int) -> bool:
    return len(frames) == cameras and all(frame.image.is_file() for frame in frames.values())


def _missing_views(layout: Layout) -> str:
    there = {frame.camera for frame in layout.frames if frame.image.is_file()}
    missing = sorted(set(range(len(layout.cameras))) - there)
    return f"view_{missing} has none" if missing else "each lacks another"


def _joint_pos(layout: Layout, frames: dict[int, Frame]) -> Float[np.ndarray, " m"]:
    values = [frame.joint_pos for frame in frames.values()]
    if any(v.shape != values[0].shape or not np.allclose(v, values[0]) for v in values):
        some = next(iter(frames.values()))
        raise DataError(
            f"{layout.file}: joint_pos of trajectory {some.trajectory}, frame {some.frame} differs "
            "between views. The views do not show the same state."
        )
    return values[0]
