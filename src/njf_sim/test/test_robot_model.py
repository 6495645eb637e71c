"""The simulated robot: channels, cameras and servo dynamics."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

import mujoco
import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_perception.camera import invert, transform
from njf_perception.errors import ConfigError
from njf_sim.robot_model import RobotModel


def test_channels_and_cameras_are_those_of_the_configuration(
    finger: RobotConfig, model: RobotModel
) -> None:
    assert model.channel_names == finger.channel_names
    assert list(model.cameras) == finger.camera_names
    for config in finger.cameras:
        camera = model.cameras[config.name]
        assert (camera.width, camera.height) == (config.width, config.height)


def test_the_joints_reach_the_limits_of_the_configuration(
    finger: RobotConfig, model: RobotModel
) -> None:
    for limit in (finger.lower, finger.upper):
        model.set_position(np.zeros(3))
        model.set_goal(limit)
        model.step(500)
        np.testing.assert_allclose(model.position, limit, atol=2e-3)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_small_step_settles_quickly_without_overshoot(model: RobotModel, channel: int) -> None:
    goal = np.array([0.3, -0.4, 0.5])
    model.set_position(goal)
    goal[channel] += 0.1
    model.set_goal(goal)
    path = []
    for _ in range(150):
        model.step()
        path.append(model.position[channel] - goal[channel])
    settled = round(0.15 / model.timestep_s)
    assert max(path) < 0.005
    assert np.abs(path[settled:]).max() < 0.008


def test_the_tip_is_on_the_camera_rays_that_mujoco_sees(model: RobotModel) -> None:
    """Projects the tip with MuJoCo's own camera axes (x right, y up, -z forward)."""
    model.set_position([0.4, -0.3, 0.8])
    for name, camera in model.cameras.items():
        data = model.data.cam(name)
        x, y, z = data.xmat.reshape(3, 3).T @ (model.tip - data.xpos)
        f = 0.5 * camera.height / np.tan(np.deg2rad(model.model.cam(name).fovy[0]) / 2)
        expected = [(camera.width - 1) / 2 - f * x / z, (camera.height - 1) / 2 + f * y / z]
        seen = camera.project(transform(invert(camera.T_world_camera), model.tip))
        np.testing.assert_allclose(seen, expected, atol=1e-9)


def test_every_camera_sees_the_whole_reach(finger: RobotConfig, model: RobotModel) -> None:
    """The box of every moving geom stays in every image, on a grid of joint positions."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1.2, 1.2, 5)] * 3), axis=-1).reshape(-1, 3)
    moving = np.flatnonzero(model.model.body_weldid[model.model.geom_bodyid])
    signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(-1, 3)
    for position in grid:
        model.set_position(position)
        aabb = model.model.geom_aabb[moving, None]
        boxes = aabb[..., :3] + signs * aabb[..., 3:]
        rotation = model.data.geom_xmat[moving].reshape(-1, 3, 3)
        corners = np.einsum("gij,gcj->gci", rotation, boxes) + model.data.geom_xpos[moving, None]
        for camera in model.cameras.values():
            pixels = camera.project(transform(invert(camera.T_world_camera), corners))
            assert pixels.min() > 3
            assert (pixels.max(axis=(0, 1)) < [camera.width - 4, camera.height - 4]).all()


def test_missing_parts_are_named(finger: RobotConfig) -> None:
    simulation = finger.simulation.model_copy(update={"mjcf": "nobody.xml"})
    with pytest.raises(ConfigError, match="nobody.xml"):
        RobotModel.from_robot(finger.model_copy(update={"simulation": simulation}))
    channels = [finger.channels[0].model_copy(update={"name": "elbow"})]
    with pytest.raises(ConfigError, match="no actuator 'elbow'.*joint_0"):
        RobotModel.from_robot(finger.model_copy(update={"channels": channels}))


def test_a_camera_on_a_moving_body_is_refused(finger: RobotConfig) -> None:
    text = """<mujoco><worldbody><body><joint name="joint_0"/><geom size=".1"/>
      <site name="tip"/><camera name="camera_0"/></body></worldbody>
      <actuator><position name="joint_0" joint="joint_0"/></actuator></mujoco>"""
    robot = finger.model_copy(
        update={"channels": finger.channels[:1], "cameras": finger.cameras[:1]}
    )
    with pytest.raises(ConfigError, match="camera_0.*moving body"):
        RobotModel(mujoco.MjModel.from_xml_string(text), robot)
