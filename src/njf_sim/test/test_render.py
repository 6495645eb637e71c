"""The ray-cast images: geometry, texture and compositing."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

import mujoco
import numpy as np
import pytest

from njf_perception.camera import Camera, invert, transform
from njf_sim.flow import GroundTruth
from njf_sim.raycast import View, cast
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel

POSITION = np.array([0.5, -0.6, 0.7])


@pytest.mark.parametrize("name", ["camera_0", "camera_2", "camera_5"])
def test_cached_and_outlined_rendering_equals_casting_every_ray(
    renderer: Renderer, model: RobotModel, name: str
) -> None:
    model.set_position(POSITION)
    renderer.pose(POSITION)
    depth, geom = renderer.trace(name)
    view = View(model.cameras[name])
    hits = cast(model.model, model.data, view.origin, view.directions)
    np.testing.assert_array_equal(geom.ravel(), hits.geom)
    expected = np.where(hits.geom >= 0, hits.distance * view.z_per_distance, np.nan)
    np.testing.assert_allclose(depth.ravel(), expected, rtol=1e-6)


def test_the_sky_has_neither_depth_nor_geom(model: RobotModel) -> None:
    camera = model.cameras["camera_0"]
    upward = np.diag([1.0, 1.0, 1.0, 1.0])
    upward[2, 3] = 1.0
    model.cameras["up"] = Camera("up", 32, 24, camera.scaled(32, 24).K, upward)
    frame = Renderer(model).render("up")
    assert np.isnan(frame.depth).all()
    assert (frame.geom == -1).all()
    assert frame.rgb.std(axis=(0, 1)).max() < 10


def test_a_robot_out_of_view_leaves_the_static_scene(model: RobotModel) -> None:
    camera = model.cameras["camera_0"]
    downward = np.diag([1.0, -1.0, -1.0, 1.0])
    downward[:3, 3] = 50.0, 0.0, 1.0
    model.cameras["away"] = Camera("away", 32, 24, camera.scaled(32, 24).K, downward)
    renderer = Renderer(model)
    frame = renderer.render("away")
    assert not renderer.is_moving[frame.geom[frame.geom >= 0]].any()
    assert frame.rgb.shape == (24, 32, 3)


def test_depth_is_z_of_the_surface(renderer: Renderer, model: RobotModel) -> None:
    """Top camera, table: every pixel shows the plane z = 0, one distance away."""
    camera = model.cameras["camera_5"]
    depth, geom = renderer.trace("camera_5")
    table = geom == model.model.geom("table").id
    assert table.mean() > 0.5
    np.testing.assert_allclose(depth[table], camera.T_world_camera[2, 3], rtol=1e-5)


def test_the_tip_sphere_is_where_the_camera_model_projects_it(
    renderer: Renderer, model: RobotModel
) -> None:
    model.set_position(POSITION)
    renderer.pose(POSITION)
    for name in ("camera_1", "camera_2", "camera_5"):
        camera = model.cameras[name]
        _, geom = renderer.trace(name)
        u, v = camera.project(transform(invert(camera.T_world_camera), model.tip))
        assert geom[round(v), round(u)] == model.model.geom("tip").id


def test_only_the_robot_changes_between_poses(renderer: Renderer) -> None:
    frames = []
    for position in (POSITION, -POSITION):
        renderer.pose(position)
        frames.append(renderer.render("camera_0"))
    changed = (frames[0].rgb != frames[1].rgb).any(axis=-1)
    robot = np.zeros_like(changed)
    for frame in frames:
        robot |= (frame.geom >= 0) & renderer.is_moving[frame.geom]
    # Anti-aliasing blends the robot into the pixels beside it, no further.
    beside = np.zeros_like(robot)
    for axis in (0, 1):
        for shift in (-1, 1):
            beside |= np.roll(robot, shift, axis)
    assert robot.sum() > 5000
    assert not (changed & ~(robot | beside)).any()


def test_rendering_is_deterministic_and_leaves_no_trace_of_earlier_poses(
    renderer: Renderer, finger
) -> None:
    renderer.pose(-POSITION)
    renderer.render("camera_1")
    renderer.pose(POSITION)
    fresh = Renderer(RobotModel.from_robot(finger))
    fresh.pose(POSITION)
    np.testing.assert_array_equal(renderer.render("camera_1").rgb, fresh.render("camera_1").rgb)


def test_the_speckle_is_textured_and_band_limited(renderer: Renderer) -> None:
    """Strong enough to track, smooth enough not to alias: neighbours correlate."""
    renderer.pose(POSITION)
    frame = renderer.render("camera_0")
    robot = (frame.geom >= 0) & renderer.is_moving[frame.geom]
    grey = frame.rgb.mean(axis=-1)
    same = robot[:, 1:] & robot[:, :-1] & (frame.geom[:, 1:] == frame.geom[:, :-1])
    left, right = grey[:, :-1][same], grey[:, 1:][same]
    assert grey[robot].std() > 20
    assert np.corrcoef(left, right)[0, 1] > 0.8


def test_the_speckle_moves_with_the_link(renderer: Renderer, model: RobotModel) -> None:
    """Colours carried along the exact flow are those of the second image."""
    a, b = POSITION, POSITION + [0.05, 0.0, 0.0]
    exact = GroundTruth(model).flow("camera_5", a, b)
    renderer.pose(a)
    first = renderer.render("camera_5").rgb.astype(float)
    renderer.pose(b)
    second = renderer.render("camera_5").rgb.astype(float)
    v, u = np.nonzero(exact.visible)
    target = np.rint(np.stack([u, v], axis=-1) + exact.flow[v, u]).astype(int)
    carried = np.abs(second[target[:, 1], target[:, 0]] - first[v, u]).mean()
    still = np.abs(second[v, u] - first[v, u]).mean()
    assert carried < 0.5 * still


def test_geoms_outside_the_rendered_groups_do_not_change_the_given_model(
    model: RobotModel,
) -> None:
    before = model.model.geom_group.copy()
    Renderer(model)
    np.testing.assert_array_equal(model.model.geom_group, before)
    assert isinstance(model.model, mujoco.MjModel)
