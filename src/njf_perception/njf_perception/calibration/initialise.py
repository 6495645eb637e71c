"""First poses of cameras and boards: what most instants agree on, along a tree of camera pairs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float

from njf_perception.calibration.board import Board
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.planar import BoardPose, board_poses
from njf_perception.calibration.views import View
from njf_perception.camera import invert, transform
from njf_perception.errors import DataError

_AGREE = 0.1  # radians plus relative length
_CLIP_PX = 20.0  # a view's error counts no more than this when a board's pose is chosen

Poses = dict[str, Float[np.ndarray, "4 4"]]


@dataclass(frozen=True)
class Start:
    """Poses to refine.

    Attributes:
        T_world_camera: by camera.
        T_world_board: by instant; that of the rest instant is given.
    """

    T_world_camera: Poses
    T_world_board: Poses


def initialise(board: Board, lenses: Mapping[str, Lens], views: Sequence[View], rest: str) -> Start:
    """Rough poses from usable views of cameras that are all linked.

    Args:
        board: what was seen.
        lenses: by camera.
        views: usable ones only.
        rest: the instant at which the board defines the world.

    Raises:
        DataError: some camera's views allow no pose.
    """
    seen: dict[str, dict[str, list[BoardPose]]] = defaultdict(dict)
    for view in views:
        poses = board_poses(view.points_m(board), view.pixels, lenses[view.camera])
        if poses:
            seen[view.camera][view.instant] = poses
    cameras = _along_tree(seen, sorted({view.camera for view in views}))
    boards = _boards(board, lenses, views, seen, cameras)
    if rest not in boards:
        raise DataError(f"the board's pose at rest ({rest}) does not follow from its views.")
    T_world_root = board.rest_pose @ invert(boards[rest])
    return Start(
        {name: T_world_root @ T for name, T in cameras.items()},
        {name: T_world_root @ T for name, T in boards.items()} | {rest: board.rest_pose},
    )


def _along_tree(seen: Mapping[str, Mapping[str, list[BoardPose]]], cameras: Sequence[str]) -> Poses:
    """Pose of every camera in the frame of the first, the most certain pairs first."""
    pairs = {}
    for a, b in combinations(cameras, 2):
        found = _pair(seen.get(a, {}), seen.get(b, {}))
        if found is not None:
            pairs[a, b] = found
            pairs[b, a] = (found[0], invert(found[1]))
    poses: Poses = {cameras[0]: np.eye(4)}
    while len(poses) < len(cameras):
        open_ends = [(pairs[a, b][0], a, b) for a, b in pairs if a in poses and b not in poses]
        if not open_ends:
            missing = sorted(set(cameras) - set(poses))
            raise DataError(
                f"no pose of {', '.join(missing)} follows from the shared views. "
                "Add instants at which two cameras see the board well and tilted."
            )
        _, a, b = max(open_ends)
        poses[b] = poses[a] @ pairs[a, b][1]
    return poses


def _pair(
    a: Mapping[str, list[BoardPose]], b: Mapping[str, list[BoardPose]]
) -> tuple[tuple[int, float], Float[np.ndarray, "4 4"]] | None:
    """((instants that agree, minus their error), T_a_b); None without shared instants."""
    candidates, instants, errors = [], [], []
    for index, instant in enumerate(sorted(a.keys() & b.keys())):
        for pose_a in a[instant]:
            for pose_b in b[instant]:
                candidates.append(pose_a.T_camera_board @ invert(pose_b.T_camera_board))
                instants.append(index)
                errors.append(pose_a.error_px + pose_b.error_px)
    if not candidates:
        return None
    agree = _distances(np.array(candidates)) < _AGREE
    is_at = np.array(instants)[:, None] == np.arange(max(instants) + 1)
    votes = ((agree.astype(int) @ is_at) > 0).sum(1)
    error = (agree * np.array(errors)).sum(1) / agree.sum(1)
    best = max(range(len(candidates)), key=lambda i: (votes[i], -error[i]))
    return (int(votes[best]), -float(error[best])), candidates[best]


def _distances(T: Float[np.ndarray, "m 4 4"]) -> Float[np.ndarray, "m m"]:
    """Angle [rad] plus distance over the mean length, between each two poses."""
    trace = np.einsum("aij,bij->ab", T[:, :3, :3], T[:, :3, :3])
    angle = np.arccos(np.clip((trace - 1) / 2, -1, 1))
    t = T[:, :3, 3]
    apart = np.linalg.norm(t[:, None] - t[None], axis=-1)
    return angle + apart / max(float(np.linalg.norm(t, axis=-1).mean()), 1e-6)


def _boards(
    board: Board,
    lenses: Mapping[str, Lens],
    views: Sequence[View],
    seen: Mapping[str, Mapping[str, list[BoardPose]]],
    cameras: Poses,
) -> Poses:
    """Per instant the pose, of those that its views propose, that explains all its views best."""
    by_instant: dict[str, list[View]] = defaultdict(list)
    for view in views:
        by_instant[view.instant].append(view)
    poses: Poses = {}
    for instant, together in by_instant.items():
        proposals = [
            cameras[view.camera] @ pose.T_camera_board
            for view in together
            for pose in seen.get(view.camera, {}).get(instant, [])
        ]
        if proposals:
            costs = [_cost(board, lenses, together, cameras, T) for T in proposals]
            poses[instant] = proposals[int(np.argmin(costs))]
    return poses


def _cost(
    board: Board,
    lenses: Mapping[str, Lens],
    views: Sequence[View],
    cameras: Poses,
    T_root_board: Float[np.ndarray, "4 4"],
) -> float:
    cost = 0.0
    for view in views:
        points = transform(invert(cameras[view.camera]) @ T_root_board, view.points_m(board))
        if (points[:, 2] <= 0).any():
            cost += _CLIP_PX
            continue
        error = lenses[view.camera].project(points)[0] - view.pixels
        cost += min(float(np.sqrt((error**2).sum(-1).mean())), _CLIP_PX)
    return cost
