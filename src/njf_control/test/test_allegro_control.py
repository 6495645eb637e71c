"""The hand's position control on joints of the fake hand, in simulated time."""

from pathlib import Path

import numpy as np
import pytest

from njf_control.drivers.allegro.config import AllegroConfig
from njf_control.drivers.allegro.control import PositionControl, VelocityFilter
from njf_control.drivers.allegro.protocol import MODELS
from njf_control.robot import load_robot
from njf_sim.fakes.allegro_joints import HandJoints

PERIOD_S = 0.003
MAX_SPEED = np.full(16, 2.5)
REST = np.zeros(16)
START = np.array(3 * [0.0, 0.5, 0.5, 0.5] + [0.8, 0.5, 0.5, 0.5])


@pytest.fixture(scope="module")
def config() -> AllegroConfig:
    robot = load_robot(Path(__file__).parents[3] / "config" / "robots" / "allegro.yaml")
    assert isinstance(robot.driver, AllegroConfig)
    return robot.driver


def follow(control: PositionControl, joints: HandJoints, seconds: float) -> np.ndarray:
    """Let the control drive the joints; the torques that it sent."""
    velocity_of = VelocityFilter(30.0, PERIOD_S)
    sent = []
    for _ in range(round(seconds / PERIOD_S)):
        count = MODELS["v4"].rad_per_count
        position = np.rint(joints.position / count) * count
        velocity = velocity_of(position, PERIOD_S)
        sent.append(control.step(position, velocity, PERIOD_S, PERIOD_S))
        joints.advance(sent[-1] / 1200.0, PERIOD_S)
    return np.array(sent)


def error_deg(joints: HandJoints, goal: np.ndarray) -> float:
    return float(np.degrees(np.abs(joints.position - goal).max()))


def test_joints_reach_their_set_points_within_a_twentieth_of_a_degree(config):
    joints, control = HandJoints(START), PositionControl(config, MAX_SPEED)
    control.start(START)
    follow(control, joints, 0.6)
    goal = START + 0.3 * np.tile([1.0, -1.0], 8)
    control.aim(goal, np.full(16, 0.5))
    follow(control, joints, 2.5)
    assert error_deg(joints, goal) < 0.05


def test_an_aim_that_is_sent_again_and_again_does_not_stop_the_integral(config):
    """The node repeats its set-point, now and then earlier than the last one was reached."""
    joints, control = HandJoints(START), PositionControl(config, MAX_SPEED)
    control.start(START)
    follow(control, joints, 0.6)
    goal = START + 0.1 * np.tile([1.0, -1.0], 8)
    for _ in range(700):
        control.aim(goal, np.full(16, 0.02))
        follow(control, joints, PERIOD_S)
    assert error_deg(joints, goal) < 0.05


def test_the_vendors_gains_alone_leave_a_degree(config):
    """So the fake has the friction and load that the integral is for."""
    plain = [j.model_copy(update={"kp": 600.0, "ki": 0.0, "kd": 15.0}) for j in config.joints]
    vendor = config.model_copy(update={"joints": plain, "friction": 0.0, "feedforward": 0.0})
    joints, control = HandJoints(START), PositionControl(vendor, MAX_SPEED)
    control.start(START)
    goal = START + 0.3 * np.tile([1.0, -1.0], 8)
    control.aim(goal, np.full(16, 0.5))
    follow(control, joints, 5.0)
    assert 1.0 < error_deg(joints, goal) < 4.0


def test_torque_begins_at_zero_and_grows_with_the_ramp(config):
    control = PositionControl(config, MAX_SPEED)
    control.start(START)
    control.aim(START + 1.0, np.zeros(16))
    rest = np.zeros(16)
    limit = np.array([joint.max_torque for joint in config.joints])
    sent = [control.step(START, rest, 0.05, 0.05) for _ in range(12)]
    np.testing.assert_allclose(sent[0], np.rint(0.1 * limit), atol=1)
    np.testing.assert_array_equal(sent[-1], limit)


def test_no_torque_exceeds_its_joints_limit(config):
    control = PositionControl(config, MAX_SPEED)
    control.start(START)
    random = np.random.default_rng(0)
    limit = np.array([joint.max_torque for joint in config.joints])
    for _ in range(200):
        control.aim(random.uniform(-3, 3, 16), random.uniform(0, 0.1, 16))
        sent = control.step(random.uniform(-3, 3, 16), random.uniform(-90, 90, 16), 0.003, 0.003)
        assert (np.abs(sent) <= limit).all()


def test_a_stuck_joint_does_not_wind_up(config):
    joints, control = HandJoints(START), PositionControl(config, MAX_SPEED)
    control.start(START)
    goal = START + 0.3 * np.tile([1.0, -1.0], 8)
    joints.stuck[5] = True
    control.aim(goal, np.full(16, 0.5))
    sent = follow(control, joints, 5.0)
    assert np.abs(sent[-1, 5]) == config.joints[5].max_torque
    joints.stuck[5] = False
    beyond = []
    for _ in range(100):
        follow(control, joints, 0.01)
        beyond.append((joints.position[5] - goal[5]) * np.sign(goal[5] - START[5]))
    assert np.degrees(max(beyond)) < 6.0
    follow(control, joints, 2.0)
    assert error_deg(joints, goal) < 0.1


def test_a_short_silence_costs_little_torque_and_a_long_one_all(config):
    control = PositionControl(config, MAX_SPEED)
    control.start(START)
    control.aim(START + 1.0, np.zeros(16))
    for _ in range(20):
        full = control.step(START, np.zeros(16), 0.05, 0.05)
    control.soften(0.1)
    after = control.step(START, np.zeros(16), 0.001, 0.001)
    np.testing.assert_allclose(after, 0.8 * full, rtol=0.02, atol=1)
    control.soften(2.0)
    assert np.abs(control.step(START, np.zeros(16), 0.001, 0.001)).max() <= 2


def bare(kp: float, feedforward: float) -> PositionControl:
    """A control whose torque shows the set-point or its velocity, for joints that stand at 0."""
    gains = {"kp": kp, "ki": 0.0, "kd": 0.0, "max_torque": 1200.0}
    config = AllegroConfig.model_validate(
        {
            "kind": "allegro",
            "model": "v4",
            "hand": "right",
            "port": "socketcan:can0",
            "rate_hz": 50.0,
            "feedforward": feedforward,
            "ramp_s": 1e-6,
            "joints": [{"name": str(n)} | gains for n in range(16)],
        }
    )
    control = PositionControl(config, MAX_SPEED)
    control.start(REST)
    return control


def test_set_points_move_evenly_and_stop_on_time():
    """A velocity that went on would carry the joint away when the node falls silent."""
    control = bare(kp=1e-9, feedforward=100.0)
    control.aim(np.full(16, 0.02), np.full(16, 0.02))
    steps = [control.step(REST, REST, 0.005, 0.005)[0] for _ in range(8)]
    assert steps == [100, 100, 100, 100, 0, 0, 0, 0]


@pytest.mark.parametrize("hz", [5, 10, 25])
def test_no_distance_between_two_aims_makes_a_set_point_faster_than_its_joint_may(hz):
    """The gate allows what fits its own rate, 0.25 rad at 10 Hz; the duration is for 50 Hz."""
    shows_place, shows_speed = bare(kp=1000.0, feedforward=0.0), bare(kp=1e-9, feedforward=100.0)
    places, speeds = [0.0], []
    for goal in np.arange(1.0, 1.0 + 0.4 * hz) * 2.5 / hz:
        for control in (shows_place, shows_speed):
            control.aim(np.full(16, goal), np.full(16, 0.02))
        for _ in range(1000 // hz):
            places.append(1e-3 * shows_place.step(REST, REST, 0.001, 0.001)[0])
            speeds.append(1e-2 * shows_speed.step(REST, REST, 0.001, 0.001)[0])
    assert max(speeds) == 2.5, "what the feedforward pushes for"
    steps = np.diff(places)
    assert min(steps) >= 0.0 and max(steps) < 0.0025 + 0.001, "2.5 rad/s, rounded"
    assert places[-1] == pytest.approx(goal), "and it comes as far as it was told to"


@pytest.mark.parametrize("noise", [-0.0001, 0.0, 0.0001])
def test_a_blocked_joint_is_released_at_once_when_it_shall_hold_where_it_is(noise):
    """As at an emergency stop: the force must not last until the set-point has travelled back."""
    control = bare(kp=1000.0, feedforward=100.0)
    control.aim(np.full(16, 0.8), np.full(16, 0.4))
    pushed = [control.step(REST, REST, 0.003, 0.003)[0] for _ in range(200)]
    assert pushed[-1] == 800
    control.step(np.full(16, noise), REST, 0.003, 0.003)
    control.aim(REST, np.full(16, 0.02))
    assert not control.step(REST, REST, 0.003, 0.003).any()


def test_velocity_is_smoothed_and_survives_a_pause():
    velocity_of = VelocityFilter(30.0, PERIOD_S)
    position = np.zeros(16)
    for _ in range(60):
        position = position + 0.001
        velocity = velocity_of(position, PERIOD_S)
    np.testing.assert_allclose(velocity, 1.0 / 3.0, rtol=1e-3)
    after = velocity_of(position + 0.1, 0.3)
    assert np.abs(after).max() < 0.5, "0.1 rad in 0.3 s are no 33 rad/s"
