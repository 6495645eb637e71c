"""What a calibration amounts to, in lines for a terminal."""

from collections.abc import Sequence

import numpy as np

from njf_perception.calibration.board import Board
from njf_perception.calibration.instants import listed
from njf_perception.calibration.intrinsics import IntrinsicsResult
from njf_perception.calibration.rig import RigCalibration
from njf_perception.calibration.views import View

_NAMES = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3")
_LISTED = 40


def instant_lines(board: Board, views: Sequence[View], cameras: int, at_rest: str) -> list[str]:
    """The instants by name, and which of them is the world.

    Args:
        board: what was shown.
        views: usable or not.
        cameras: of the rig.
        at_rest: the instant that defines the world.
    """
    seen = {v.camera for v in views if v.instant == at_rest and v.usable(board)}
    instants = {view.instant for view in views}
    return [
        f"{len(instants)} instants: {listed(instants, _LISTED)}",
        f"world: instant {at_rest}, seen by {len(seen)} of {cameras} cameras",
    ]


def rig_lines(rig: RigCalibration) -> list[str]:
    """A line per camera: where it stands and how well that is known."""
    lines = []
    for name, figures in rig.figures().items():
        position = rig.solution.T_world_camera[name][:3, 3]
        focal = rig.solution.focal[name]
        lines.append(
            f"{name:16s} {figures.views:4d} views  {figures.error_px:5.2f} px  at "
            f"[{position[0]:+.4f} {position[1]:+.4f} {position[2]:+.4f}] m "
            f"+- {1e3 * figures.position_std_m:.2f} mm, "
            f"{np.rad2deg(figures.rotation_std_rad):.3f} deg  "
            f"focal length {100 * focal.error:+.1f} +- {100 * focal.std:.1f} %"
        )
    return lines


def lens_lines(camera: str, result: IntrinsicsResult) -> list[str]:
    """The intrinsics and their standard deviations."""
    K = result.lens.K
    values = [K[0, 0], K[1, 1], K[0, 2], K[1, 2], *result.lens.distortion]
    numbers = "  ".join(
        f"{name} {value:.4g} +- {std:.2g}"
        for name, value, std in zip(_NAMES, values, result.std, strict=True)
    )
    return [f"{camera:16s} {result.views:4d} views  {result.error_px:5.2f} px  {numbers}"]
