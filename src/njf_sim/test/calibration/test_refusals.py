"""Every refusal, and the sentence it comes with."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import Sighting
from njf_perception.calibration.instants import leave_out
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.refuse import Limits
from njf_perception.calibration.rig import calibrate_rig
from njf_perception.calibration.views import View
from njf_perception.errors import DataError
from njf_sim.board_rig import BoardRig, board_rig


@pytest.fixture(scope="module")
def small() -> BoardRig:
    return board_rig(4, 10, np.random.default_rng(5))


@pytest.fixture
def views(small: BoardRig, rng: np.random.Generator) -> list[View]:
    return small.exact_views(rng, noise_px=0.3)


def refused(
    small: BoardRig, views: list[View], message: str, lenses: dict[str, Lens] | None = None
) -> None:
    with pytest.raises(DataError, match=message):
        calibrate_rig(small.board, lenses or small.lenses, views)


def changed(views: list[View], name: str, change: Callable[[Sighting], Sighting]) -> list[View]:
    """Every image of one camera changed."""
    return [
        replace(view, sighting=change(view.sighting)) if view.camera == name else view
        for view in views
    ]


def scaled(lens: Lens, focal: float) -> Lens:
    return replace(lens, K=lens.K * np.array([[focal, 1, 1], [1, focal, 1], [1, 1, 1]]))


def test_the_rig_itself_is_accepted(small: BoardRig, views: list[View]) -> None:
    figures = calibrate_rig(small.board, small.lenses, views).figures()
    assert all(0.35 < of_camera.error_px < 0.5 for of_camera in figures.values())


def test_two_poses_of_the_board(small: BoardRig, views: list[View]) -> None:
    two = [view for view in views if view.instant in ("000", "001")]
    refused(small, two, r"2 poses of the board \(000, 001\), expected at least 3.*more places")


def test_a_camera_with_two_views(small: BoardRig, views: list[View]) -> None:
    kept = [view for view in views if view.camera == "camera_01"][:2]
    few = [view for view in views if view.camera != "camera_01"] + kept
    refused(small, few, "camera_01: 2 usable views of 2 images, expected at least 3 with 4 tags")


@pytest.mark.parametrize("shift_mm", [1.5, 6.0])
def test_a_moved_tag_is_named(small: BoardRig, rng: np.random.Generator, shift_mm: float) -> None:
    corners = small.board.corners_m
    corners[7, :, :2] += 1e-3 * shift_mm * np.array([0.6, -0.8])
    moved = small.exact_views(rng, 0.3, corners)
    with pytest.raises(DataError, match=r"tags are not where .*: tag 7 by \d") as refusal:
        calibrate_rig(small.board, small.lenses, moved)
    named = re.findall(r"tag (\d+) by ([\d.]+) mm", str(refusal.value))
    assert [tag for tag, _ in named] == ["7"]
    assert float(named[0][1]) == pytest.approx(shift_mm, abs=0.3)


def test_a_hair_of_paper_is_not_a_moved_tag(small: BoardRig, rng: np.random.Generator) -> None:
    corners = small.board.corners_m
    corners[7, :, 0] += 0.3e-3
    calibrate_rig(small.board, small.lenses, small.exact_views(rng, 0.3, corners))


def test_another_board(small: BoardRig, rng: np.random.Generator) -> None:
    printed = Board(tag_size_m=0.033, gap_m=0.012).corners_m
    views = small.exact_views(rng, 0.3, printed)
    refused(small, views, r"of 20 tags are not where the board's file has them.*tag_size_m and gap")


def test_a_mirrored_board(small: BoardRig, views: list[View]) -> None:
    nothing = Sighting(np.zeros(0, np.int64), np.zeros((0, 4, 2)), mirrored=True)
    mirrored = changed(views, "camera_02", lambda _: nothing)
    refused(small, mirrored, "camera_02: .* tags mirrored.*Print the board anew.*horizontal flip")


def test_blurred_images(small: BoardRig, views: list[View]) -> None:
    blurred = changed(views, "camera_02", lambda seen: replace(seen, blur_px=3.0))
    refused(small, blurred, "camera_02: .* images are blurred by more than 2.5 px.*Hold the board")


def test_tags_of_another_board(small: BoardRig, views: list[View]) -> None:
    nothing = Sighting(np.zeros(0, np.int64), np.zeros((0, 4, 2)), foreign_ids=(55, 56))
    foreign = changed(views, "camera_02", lambda _: nothing)
    refused(small, foreign, r"camera_02: sees tags 55, 56, which are not on this board \(ids 0 to")


def test_cameras_that_share_no_instant(small: BoardRig, views: list[View]) -> None:
    first = ("camera_00", "camera_01")
    apart = [
        replace(view, instant=f"{view.instant} {'left' if view.camera in first else 'right'}")
        for view in views
    ]
    message = r"\{camera_00, camera_01\} and \{camera_02, camera_03\} never see the board at the sa"
    refused(small, apart, message)


def sheared(view: View) -> View:
    corners = view.sighting.corners_px
    shear = corners + np.stack([0.08 * (corners[..., 1] - 240), 0 * corners[..., 1]], axis=-1) + 5
    return replace(view, sighting=replace(view.sighting, corners_px=shear))


def test_a_board_that_moved_during_one_image(small: BoardRig, views: list[View]) -> None:
    index = next(i for i, view in enumerate(views) if view.camera == "camera_03") + 2
    views[index] = sheared(views[index])
    instant = views[index].instant
    message = rf"1 of \d+ views disagree.*camera_03 at {instant}.*rolling exposure"
    refused(small, views, rf"{message}.*instants out: --skip {instant}\.$")
    kept = leave_out(views, [instant])  # as the message says
    assert instant not in calibrate_rig(small.board, small.lenses, kept).solution.T_world_board
    world = rf"--skip {instant} --rest INSTANT, .* since {instant} defines the world"
    with pytest.raises(DataError, match=world):
        calibrate_rig(small.board, small.lenses, views, rest=instant)


def test_a_board_that_moved_where_no_instant_can_be_spared(
    small: BoardRig, views: list[View]
) -> None:
    instants, pair = ("000", "002", "003", "004", "005", "006"), ("camera_02", "camera_03")
    few = [
        sheared(view) if (view.camera, view.instant) == ("camera_03", "004") else view
        for view in views
        if view.instant in instants and view.camera in pair
    ]
    lenses = {name: small.lenses[name] for name in pair}
    with pytest.raises(DataError, match="hold it still, and take these poses again: 004"):
        calibrate_rig(small.board, lenses, few, limits=Limits(views=len(instants)))


@pytest.mark.parametrize("focal", [0.96, 1.05])
def test_a_wrong_focal_length(small: BoardRig, views: list[View], focal: float) -> None:
    lenses = small.lenses | {"camera_02": scaled(small.lenses["camera_02"], focal)}
    message = r"other focal lengths than camera_info has: camera_02 [+-]\d"
    refused(small, views, message, lenses)


def test_an_error_over_the_limit(small: BoardRig, views: list[View]) -> None:
    with pytest.raises(DataError, match=r"error over the limit of 0.3 px: camera_00 0\.4"):
        calibrate_rig(small.board, small.lenses, views, limits=Limits(error_px=0.3))


def test_a_position_that_the_views_leave_open(small: BoardRig, views: list[View]) -> None:
    with pytest.raises(DataError, match=r"uncertain by more than 0.01 mm: camera_00 0\.\d mm"):
        calibrate_rig(small.board, small.lenses, views, limits=Limits(position_std_m=1e-5))


def test_a_rest_that_nobody_saw(small: BoardRig, views: list[View]) -> None:
    with pytest.raises(DataError, match=r"board at rest \(instant lunch\).*--rest: 000, 001"):
        calibrate_rig(small.board, small.lenses, views, rest="lunch")


def test_no_numbers(small: BoardRig, views: list[View]) -> None:
    no_focal = {"camera_02": scaled(small.lenses["camera_02"], np.nan)}
    refused(small, views, "camera_02: camera_info has K = .*nan", small.lenses | no_focal)
    uncalibrated = {"camera_02": scaled(small.lenses["camera_02"], 0.0)}
    refused(small, views, "expected .* positive focal", small.lenses | uncalibrated)
    broken = replace(views[3].sighting, corners_px=views[3].sighting.corners_px * np.nan)
    views[3] = replace(views[3], sighting=broken)
    message = rf"{views[3].camera} at {views[3].instant}: corners that are not finite.*--skip 0"
    refused(small, views, message)


def test_a_camera_info_of_another_size(small: BoardRig, views: list[View]) -> None:
    lens = small.lenses["camera_02"]
    large = replace(lens, K=lens.K * np.array([[3], [3], [1]]))
    message = "camera_02: .*principal point .* outside its 640 x 480 px"
    refused(small, views, message, small.lenses | {"camera_02": large})
