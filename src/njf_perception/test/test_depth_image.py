"""Depth cameras speak in two encodings, and say nothing in several ways."""

import numpy as np

from njf_perception.depth_image import depth_at, depth_metres


def test_millimetres_become_metres_and_zero_is_unknown() -> None:
    depth = depth_metres(np.array([[0, 500], [1, 65535]], np.uint16))
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, [[np.nan, 0.5], [0.001, 65.535]], rtol=1e-6)


def test_metres_stay_and_what_is_no_depth_is_unknown() -> None:
    depth = depth_metres(np.array([[np.nan, np.inf, -np.inf], [0.0, -0.2, 0.4]], np.float32))
    np.testing.assert_allclose(depth, [[np.nan] * 3, [np.nan, np.nan, 0.4]], rtol=1e-6)


def test_depth_is_read_at_the_nearest_pixel() -> None:
    depth = np.array([[0.1, 0.2, 0.3], [0.4, np.nan, 0.6]], np.float32)
    pixels = np.array([[0.0, 0.0], [1.6, -0.4], [2.4, 1.4], [1.2, 0.8]])
    np.testing.assert_allclose(depth_at(depth, pixels), [0.1, 0.3, 0.6, np.nan], rtol=1e-6)


def test_outside_of_the_image_nothing_is_known() -> None:
    depth = np.ones((2, 3), np.float32)
    pixels = np.array([[-0.6, 0.0], [2.6, 0.0], [0.0, 1.6], [np.nan, 0.0], [1e30, 0.0]])
    assert np.isnan(depth_at(depth, pixels)).all()
    assert depth_at(depth, np.zeros((0, 2))).shape == (0,)
