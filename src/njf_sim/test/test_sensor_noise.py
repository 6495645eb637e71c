"""What simulated cameras measure."""

import numpy as np

from njf_sim.sensor_noise import depth_image_mm


def test_depth_is_in_millimetres_and_unknown_at_edges_and_without_surface() -> None:
    depth = np.full((6, 8), 0.5, np.float32)
    depth[:, 5:] = 0.4
    depth[0, 0] = np.nan
    sent = depth_image_mm(depth)
    assert sent.dtype == np.uint16
    assert (sent[:, 4:6] == 0).all(), "both sides of the edge"
    assert sent[0, 0] == sent[0, 1] == sent[1, 0] == 0
    assert (sent[2:, :4] == 500).all() and (sent[:, 6:] == 400).all()


def test_slopes_are_no_edges_and_the_far_is_unknown() -> None:
    slope = np.tile(np.linspace(0.3, 0.4, 21, dtype=np.float32), (3, 1))
    np.testing.assert_allclose(depth_image_mm(slope) / 1e3, slope, atol=6e-4)
    assert not depth_image_mm(np.full((2, 2), 70.0, np.float32)).any()
