"""Instants of rest, cut from a stream."""

import numpy as np

from njf_perception.calibration.detect import Sighting
from njf_perception.calibration.stills import Rests
from njf_perception.calibration.views import View

NOTHING = Sighting(np.zeros(0, np.int64), np.zeros((0, 4, 2)))


def sighting(u: float) -> Sighting:
    square = np.array([[0.0, 0], [9, 0], [9, 9], [0, 9]])
    return Sighting(np.array([3, 7]), np.stack([square + [u, 0], square + [u, 30]]))


def still_views(stream: list[tuple[str, int, Sighting]]) -> list[View]:
    rests = Rests()
    for item in stream:
        rests.take(*item)
    views = list(rests.views())
    assert all(rests.count(view.camera) for view in views)
    return views


def stream(places: dict[str, list[float]]) -> list[tuple[str, int, Sighting]]:
    """Each camera's u of the tags, ten times a second; NaN: nothing seen."""
    return [
        (camera, 100_000_000 * index, NOTHING if np.isnan(u) else sighting(u))
        for camera, us in places.items()
        for index, u in enumerate(us)
    ]


def test_a_rest_is_one_view_per_camera_with_median_corners() -> None:
    still, moving = [10.0, 10.1, 10.2, 10.1, 10.1], [20.0, 30.0, 40.0, 50.0]
    again = [60.0] * 5
    views = still_views(stream({"a": still + moving + again, "b": still + moving + again}))
    assert [(view.camera, view.instant) for view in views] == [
        ("a", "0000000"),
        ("b", "0000000"),
        ("a", "0000900"),
        ("b", "0000900"),
    ]
    np.testing.assert_allclose(views[0].sighting.corners_px[0, 0], [10.1, 0])
    np.testing.assert_array_equal(views[0].sighting.ids, [3, 7])


def test_a_creeping_board_is_never_at_rest() -> None:
    creeping = [0.5 * index for index in range(30)]
    assert still_views(stream({"a": creeping})) == []


def test_a_camera_that_sees_it_move_has_no_view() -> None:
    views = still_views(stream({"a": [5.0] * 8, "b": [5.0 * i for i in range(8)]}))
    assert [view.camera for view in views] == ["a"]


def test_a_camera_that_sees_nothing_has_no_view() -> None:
    views = still_views(stream({"a": [5.0] * 8, "b": [np.nan] * 8}))
    assert [view.camera for view in views] == ["a"]
