"""A model that was not made for this project, with what it lacks put around it."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel

Describe = Callable[..., RobotConfig]


def test_the_tip_is_where_it_was_put(arm_file: Path, describe: Describe) -> None:
    model = RobotModel.from_robot(describe(arm_file))
    model.settle(np.array([0.0, np.pi / 2]))
    # link2 points down; the held slide and the site are along it.
    np.testing.assert_allclose(model.tip, [0.0, 0.0, 0.2 - 0.3 - 0.02 - 0.02], atol=1e-9)


def test_what_is_no_channel_is_held_and_zero_outside_the_range_is_avoided(
    arm_file: Path, describe: Describe
) -> None:
    model = RobotModel.from_robot(describe(arm_file))
    assert model.is_kinematic
    np.testing.assert_array_equal(model.position, [0.0, 0.6])
    assert model.configuration[model.model.joint("slide").qposadr[0]] == 0.02


def test_without_gravity_it_is_a_choice(arm_file: Path, describe: Describe) -> None:
    assert not RobotModel.from_robot(describe(arm_file, gravity=True)).is_kinematic


def test_images_show_the_robot_and_the_floor_but_no_collision_shapes(
    arm_file: Path, describe: Describe
) -> None:
    model = RobotModel.from_robot(describe(arm_file))
    renderer = Renderer(model)
    for name in model.cameras:
        seen = set(np.unique(renderer.render(name).geom)) - {-1}
        shown = np.flatnonzero(model.model.geom_group < 3)
        assert seen <= set(shown)
        assert len(seen) >= 3, name


def test_speckle_shows_on_black_and_leaves_paint_of_its_own(
    arm_file: Path, describe: Describe
) -> None:
    model = RobotModel.from_robot(describe(arm_file))
    contrast, size_m, _ = model.model.geom_user.T
    fortieth_m = 0.8 / 40
    np.testing.assert_allclose(contrast, [0.05, 0.35, 0.35, 0.35, 0.5])
    np.testing.assert_allclose(size_m, [0.12, fortieth_m, fortieth_m, fortieth_m, 0.015])
    frame = Renderer(model).render("camera_0")
    box = frame.rgb[frame.geom == 1].mean(axis=1)
    assert box.std() > 8.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"add": {}}, "no site 'tip'.*simulation.add.sites"),
        ({"tips": ["tip", "thumb"]}, "no site 'thumb'.*tip"),
        ({"hold": {"grip": 0.0}}, "no actuator 'grip'.*gripper"),
    ],
)
def test_missing_parts_are_named_with_what_there_is(
    arm_file: Path, describe: Describe, changes: dict, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        RobotModel.from_robot(describe(arm_file, **changes))


TIP = {"tip": {"body": "finger"}}


@pytest.mark.parametrize(
    ("add", "words"),
    [
        ({"sites": TIP}, "no camera 'camera_0'.*simulation.add.cameras"),
        ({"sites": {"tip": {"body": "fingers"}}}, "no body 'fingers'.*link2, finger"),
        (
            {"sites": TIP, "cameras": {"positions_m": {"camera_9": [1, 1, 1]}}},
            "camera_9.*camera_0, camera_1",
        ),
        (
            {"sites": TIP, "cameras": {"positions_m": {"camera_1": [0, 0, 0.2]}}},
            "camera_1 stands in the point",
        ),
    ],
)
def test_additions_that_fit_nothing_are_refused(
    arm_file: Path, describe: Describe, add: dict, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        RobotModel.from_robot(describe(arm_file, add=add))


@pytest.mark.parametrize(
    ("channel", "changes", "words"),
    [
        (0, {"upper": 2.5}, "'actuator1' goes from -1 to 2.5 rad.*-2 to 2"),
        (0, {"unit": "Pa"}, "'actuator1' has the unit Pa.*a position servo of a hinge"),
        (1, {"name": "gripper"}, "'gripper' has the unit rad.*no position servo.*hold"),
    ],
)
def test_channels_that_their_actuators_cannot_follow_are_refused(
    arm_file: Path, describe: Describe, channel: int, changes: dict, words: str
) -> None:
    robot = describe(arm_file, hold={})
    channels = list(robot.channels)
    channels[channel] = channels[channel].model_copy(update=changes)
    with pytest.raises(ConfigError, match=words):
        RobotModel.from_robot(robot.model_copy(update={"channels": channels}))
