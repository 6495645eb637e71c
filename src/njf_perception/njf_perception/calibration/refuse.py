"""What is not calibrated from, each with one sentence: what came, what was expected, what to do."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from njf_perception.calibration.board import Board
from njf_perception.calibration.bundle import Solution
from njf_perception.calibration.detect import Sighting
from njf_perception.calibration.instants import listed, skip_options
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.tag_shifts import TagShift
from njf_perception.calibration.views import BLURRED_PX, FEWEST_TAGS, View, groups
from njf_perception.config import Config
from njf_perception.errors import DataError

_ODD_VIEW = 4.0  # times the usual error of a view
_FEW_TAGS_MOVED = 0.25  # of the board; when more are off, the board as a whole is another one
_CERTAIN = 4.0  # standard errors
_NAMED = 4


class Limits(Config):
    """When a calibration is refused."""

    views: int = Field(default=3, ge=1, description="usable views per camera, and board poses")
    error_px: float = Field(
        default=1.0, gt=0, description="reprojection error per camera, RMS [px]"
    )
    position_std_m: float = Field(
        default=0.005, gt=0, description="uncertainty of a camera's position [m]"
    )
    focal_error: float = Field(
        default=0.01, gt=0, description="error of a given focal length that the views show"
    )


def check_lenses(lenses: Mapping[str, Lens]) -> None:
    """Refuse intrinsics that are none.

    Raises:
        DataError: not finite, uncalibrated, or a principal point outside the image.
    """
    for name, lens in lenses.items():
        numbers = np.concatenate([lens.K.ravel(), lens.distortion.ravel()])
        middle = lens.K[:2, 2]
        if not np.isfinite(numbers).all() or min(lens.K[0, 0], lens.K[1, 1]) <= 0:
            raise DataError(
                f"{name}: camera_info has K = {lens.K.tolist()} and distortion "
                f"{lens.distortion.tolist()}, expected finite numbers and positive focal lengths. "
                "Calibrate its intrinsics first: njf calibrate --intrinsics."
            )
        if not lens.inside(middle[None])[0]:
            raise DataError(
                f"{name}: camera_info has its principal point {middle.tolist()} outside its "
                f"{lens.width} x {lens.height} px: it is of another image size. Use the "
                "camera_info of the size in use."
            )


def check_views(
    board: Board,
    lenses: Mapping[str, Lens],
    views: Sequence[View],
    rest: str,
    limits: Limits,
) -> None:
    """Refuse views that allow no calibration, before any is tried.

    Raises:
        DataError: names the cameras and what their images lack.
    """
    for view in views:
        if not np.isfinite(view.sighting.corners_px).all():
            raise DataError(
                f"{view.camera} at {view.instant}: corners that are not finite, expected pixels. "
                f"Leave its instant out: {skip_options([view.instant])}."
            )
    usable = [view for view in views if view.usable(board)]
    of_camera = {name: [v for v in views if v.camera == name] for name in sorted(lenses)}
    for camera, seen in of_camera.items():
        if sum(view.usable(board) for view in seen) < limits.views:
            _check_images(board, camera, [view.sighting for view in seen])
    instants = sorted({view.instant for view in usable})
    if len(instants) < limits.views:
        raise DataError(
            f"{len(instants)} poses of the board ({', '.join(instants)}), expected at least "
            f"{limits.views}, better 15. Hold the board in more places and at more angles."
        )
    for camera, seen in of_camera.items():
        count = sum(view.usable(board) for view in seen)
        if count < limits.views:
            raise DataError(
                f"{camera}: {count} usable views of {len(seen)} images, expected at least "
                f"{limits.views} with {min(FEWEST_TAGS, len(board.ids))} tags or more. Show it the "
                "board larger, sharper and brighter, and at less of a slant."
            )
    if rest not in instants:
        raise DataError(
            f"no camera sees the board at rest (instant {rest}) well enough, and it defines the "
            f"world. Name another instant with --rest: {listed(instants)}."
        )
    linked = groups(usable)
    if len(linked) > 1:
        named = " and ".join("{" + ", ".join(sorted(group)) + "}" for group in linked)
        raise DataError(
            f"the cameras {named} never see the board at the same instant, so nothing says where "
            "they stand to each other. Add instants at which a camera of each group sees it."
        )


def _check_images(board: Board, camera: str, seen: Sequence[Sighting]) -> None:
    """Why a camera's images have too few usable views, where that can be said."""
    mirrored = sum(sighting.mirrored for sighting in seen)
    if mirrored > len(seen) / 4:
        raise DataError(
            f"{camera}: {mirrored} of {len(seen)} images show the board's tags mirrored, and none "
            "can be read as they are. Print the board anew without mirroring, or switch off the "
            "camera's horizontal flip."
        )
    blurred = sum(sighting.blur_px > BLURRED_PX for sighting in seen)
    if blurred > len(seen) / 4:
        raise DataError(
            f"{camera}: {blurred} of {len(seen)} images are blurred by more than {BLURRED_PX} px. "
            "Hold the board still, focus the lens, shorten the exposure, add light."
        )
    foreign = Counter(tag for sighting in seen for tag in sighting.foreign_ids)
    if foreign:
        ids = ", ".join(map(str, sorted(foreign)[:_NAMED]))
        raise DataError(
            f"{camera}: sees tags {ids}, which are not on this board (ids {board.ids[0]} to "
            f"{board.ids[-1]}). Give the file of the board that was held."
        )


def check_solution(
    board: Board,
    views: Sequence[View],
    solution: Solution,
    shifts: Mapping[int, TagShift],
    rest: str,
    limits: Limits,
) -> None:
    """Refuse poses that do not explain the views; `rest` is the instant that defines the world.

    Raises:
        DataError: a moved tag, another board, odd views, an error over the limit, or poses that
            the views leave open.
    """
    _check_tags(board, shifts)
    _check_odd_views(views, solution, rest, limits)
    _check_errors(views, solution, limits)
    loose = {n: s for n, s in solution.position_std_m.items() if s > limits.position_std_m}
    if loose:
        named = ", ".join(f"{name} {1e3 * std:.1f} mm" for name, std in loose.items())
        raise DataError(
            f"the views leave positions uncertain by more than {1e3 * limits.position_std_m:g} mm: "
            f"{named}. Show these cameras the board at more angles, nearer, and together with "
            "others."
        )


def _check_odd_views(views: Sequence[View], solution: Solution, rest: str, limits: Limits) -> None:
    of_view = view_errors_px(solution)
    usual = float(np.median(of_view))
    odd = np.flatnonzero(of_view > np.maximum(limits.error_px, _ODD_VIEW * usual))
    if not 0 < len(odd) < len(views) / 4:
        return
    worst = odd[np.argsort(-of_view[odd])][:_NAMED]
    named = ", ".join(
        f"{views[i].camera} at {views[i].instant} ({of_view[i]:.1f} px)" for i in worst
    )
    instants = {views[i].instant for i in odd.tolist()}
    left = {view.instant for view in views} - instants
    raise DataError(
        f"{len(odd)} of {len(views)} views disagree with the rest, whose error is "
        f"{usual:.2f} px: {named}. The board moved between the cameras' images or during a "
        f"rolling exposure; hold it still, {_without(instants, rest, len(left) >= limits.views)}."
    )


def _without(instants: set[str], rest: str, enough: bool) -> str:
    """How to do without instants; `enough` says whether there are others to calibrate from."""
    if not enough:
        return f"and take these poses again: {listed(instants)}"
    world = (
        f" --rest INSTANT, another one at which it lies at rest, since {rest} defines the world"
        if rest in instants
        else ""
    )
    return f"or leave these instants out: {skip_options(instants)}{world}"


def _check_errors(views: Sequence[View], solution: Solution, limits: Limits) -> None:
    """Cameras whose lens is another one, or that are not explained."""
    wrong = {
        name: focal
        for name, focal in solution.focal.items()
        if abs(focal.error) > max(limits.focal_error, _CERTAIN * focal.std)
    }
    if wrong:
        worst = max(abs(focal.error) for focal in wrong.values())  # it pulls its neighbours along
        named = ", ".join(
            f"{name} {100 * focal.error:+.1f} %"
            for name, focal in wrong.items()
            if abs(focal.error) > worst / 2
        )
        raise DataError(
            f"the views ask for other focal lengths than camera_info has: {named}; expected are "
            f"{100 * limits.focal_error:g} % at most. Calibrate these lenses at the focus and size "
            "in use: njf calibrate --intrinsics."
        )
    cameras = np.array([view.camera for view in views])[solution.residuals.view]
    errors = {
        name: rms_px(solution.residuals.error_px[cameras == name])
        for name in solution.T_world_camera
    }
    over = {name: error for name, error in errors.items() if error > limits.error_px}
    if over:
        named = ", ".join(f"{name} {error:.2f} px" for name, error in over.items())
        advice = (
            "Compare the board's file with the print, and the camera_info files with the lenses"
            if len(over) > len(errors) / 2
            else "Calibrate their lenses first: njf calibrate --intrinsics"
        )
        raise DataError(
            f"reprojection error over the limit of {limits.error_px} px: {named}. {advice}."
        )


def _check_tags(board: Board, shifts: Mapping[int, TagShift]) -> None:
    moved = {tag: shift for tag, shift in shifts.items() if shift.moved}
    if not moved:
        return
    if len(moved) > max(_FEW_TAGS_MOVED * len(board.ids), 1):
        worst = 1e3 * max(shift.distance_m for shift in moved.values())
        raise DataError(
            f"{len(moved)} of {len(board.ids)} tags are not where the board's file has them, by "
            f"up to {worst:.1f} mm. Compare columns, rows, tag_size_m and gap_m with the print, "
            "and lay the paper flat on something stiff."
        )
    named = ", ".join(
        f"tag {tag} by {1e3 * shift.distance_m:.1f} mm ({1e3 * shift.mean_m[0]:+.1f} right, "
        f"{1e3 * shift.mean_m[1]:+.1f} up, in {shift.views} views)"
        for tag, shift in sorted(moved.items())
    )
    raise DataError(
        f"tags are not where the board's file has them: {named}. Fix them to the board or print "
        "it anew."
    )


def view_errors_px(solution: Solution) -> np.ndarray:
    """Reprojection error of each view, RMS over its corners [px]."""
    by_view: dict[int, list[np.ndarray]] = defaultdict(list)
    for view, error in zip(solution.residuals.view, solution.residuals.error_px, strict=True):
        by_view[int(view)].append(error)
    return np.array([rms_px(np.array(by_view[view])) for view in sorted(by_view)])


def rms_px(error_px: np.ndarray) -> float:
    """RMS length of errors (u, v) [px]."""
    return float(np.sqrt((error_px**2).sum(-1).mean()))
