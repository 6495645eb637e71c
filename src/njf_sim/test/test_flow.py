"""The exact flow and Jacobians against finite differences and against each other."""

import numpy as np
import pytest

from njf_perception.camera import invert, transform
from njf_sim.flow import GroundTruth, projection_jacobian
from njf_sim.robot_model import RobotModel

POSITION = np.array([0.4, -0.5, 0.6])
CAMERAS = ["camera_0", "camera_3", "camera_5"]


@pytest.fixture(scope="module")
def truth(finger) -> GroundTruth:
    return GroundTruth(RobotModel.from_robot(finger))


@pytest.mark.parametrize("name", CAMERAS)
def test_small_flow_is_the_jacobian_times_the_step(truth: GroundTruth, name: str) -> None:
    flow = truth.flow(name, POSITION, POSITION)
    assert not flow.flow[~flow.moving].any()
    v, u = np.nonzero(flow.moving)
    pick = np.random.default_rng(0).choice(len(u), 40, replace=False)
    pixels = np.stack([u[pick], v[pick]], axis=-1)
    exact = truth.jacobian(name, POSITION, pixels)
    for channel in range(3):
        step = np.zeros(3)
        step[channel] = 1e-3
        # Central difference: the flow is a float32, so the step is not smaller than this.
        ahead = truth.flow(name, POSITION, POSITION + step).flow
        back = truth.flow(name, POSITION, POSITION - step).flow
        slope = (ahead - back)[pixels[:, 1], pixels[:, 0]] / 2e-3
        np.testing.assert_allclose(exact.pixel[:, :, channel], slope, atol=0.02, rtol=1e-3)


def test_flow_of_the_tip_is_the_motion_of_the_tip(truth: GroundTruth, model: RobotModel) -> None:
    """Large motion, against the forward kinematics and the camera model alone."""
    goal = POSITION + [0.2, -0.3, 0.25]
    camera = model.cameras["camera_5"]
    tips = []
    for position in (POSITION, goal):
        model.set_position(position)
        top = model.tip + [0.0, 0.0, 0.0175]  # the sphere's highest point, seen from above
        tips.append(camera.project(transform(invert(camera.T_world_camera), top)))
    u, v = np.rint(tips[0]).astype(int)
    exact = truth.flow("camera_5", POSITION, goal)
    np.testing.assert_allclose(exact.flow[v, u], tips[1] - tips[0], atol=0.3)


def test_points_are_in_the_camera_frame_and_project_to_their_pixels(
    truth: GroundTruth, model: RobotModel
) -> None:
    pixels = np.array([[160, 120], [200, 100], [90, 180]])
    exact = truth.jacobian("camera_0", POSITION, pixels)
    seen = model.cameras["camera_0"].project(exact.points)
    np.testing.assert_allclose(seen, pixels, atol=1e-9)


def test_static_points_have_no_jacobian(truth: GroundTruth) -> None:
    exact = truth.jacobian("camera_2", POSITION, np.array([[160, 235], [3, 3]]))
    assert not exact.metric.any()
    assert not exact.pixel.any()


def test_distal_joints_do_not_move_proximal_links(truth: GroundTruth, model: RobotModel) -> None:
    """Pixels on link 0 move with joint 0 only."""
    flow = truth.flow("camera_0", POSITION, POSITION)
    body = model.model.body("link_0").id
    _, geom = truth._trace("camera_0", POSITION)
    v, u = np.nonzero(flow.moving & (model.model.geom_bodyid[geom] == body))
    exact = truth.jacobian("camera_0", POSITION, np.stack([u[:20], v[:20]], axis=-1))
    assert (np.linalg.norm(exact.metric[:, :, 0], axis=1) > 0.01).all()
    assert not exact.metric[:, :, 1:].any()


def test_visible_excludes_what_the_robot_itself_hides(truth: GroundTruth) -> None:
    still = truth.flow("camera_4", POSITION, POSITION)
    np.testing.assert_array_equal(still.visible, still.moving)
    turned = truth.flow("camera_4", POSITION, np.array([1.1, 1.1, 1.1]))
    share = turned.visible.sum() / turned.moving.sum()
    assert 0.1 < share < 0.9


def test_projection_jacobian_is_the_slope_of_project(model: RobotModel) -> None:
    camera = model.cameras["camera_0"]
    point = np.array([[0.05, -0.03, 0.6]])
    analytic = projection_jacobian(point, camera)[0]
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = 1e-6
        slope = (camera.project(point + step) - camera.project(point - step))[0] / 2e-6
        np.testing.assert_allclose(analytic[:, axis], slope, rtol=1e-6, atol=1e-4)
