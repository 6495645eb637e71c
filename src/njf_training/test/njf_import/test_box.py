"""The box around where a robot moved, from silhouettes alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from njf_perception.camera import Camera
from njf_perception.errors import DataError
from njf_training.njf_import.box import moving_box

WIDTH, HEIGHT = 96, 72


@pytest.fixture
def views(make_scene: Callable[..., Any]) -> tuple[list[Camera], np.ndarray, Any]:
    scene = make_scene()
    cameras = [Camera(f"view_{c}", WIDTH, HEIGHT, scene.K, scene.pose(c)) for c in range(3)]
    masks = [
        [scene.on_plate(scene.trace(c, scene.center(t, 0))[2]) for c in range(3)] for t in range(6)
    ]
    return cameras, np.array(masks), scene


def test_the_box_holds_the_plate_everywhere_and_little_else(
    views: tuple[list[Camera], np.ndarray, Any],
) -> None:
    cameras, masks, scene = views
    low, high = moving_box(cameras, masks)
    centers = np.array([scene.center(t, 0) for t in range(6)])
    assert (low < centers.min(0) - [0.085, 0.065, 0]).all()
    assert (high > centers.max(0) + [0.085, 0.065, 0]).all()
    assert (high - low < np.ptp(centers, axis=0) + [0.3, 0.3, 0.35]).all()


def test_silhouettes_that_do_not_meet_are_refused(
    views: tuple[list[Camera], np.ndarray, Any],
) -> None:
    cameras, masks, _ = views
    with pytest.raises(DataError, match="Do the poses belong to these images"):
        moving_box(cameras, np.zeros_like(masks))
