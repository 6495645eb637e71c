import numpy as np
import pytest

from njf_bringup.closed_loop.disturbances import Disturbance, picture, scenario
from njf_bringup.closed_loop.jacobians import nearest_robot_pixels
from njf_bringup.closed_loop.pictures import padded
from njf_bringup.closed_loop.plant import Plant
from njf_bringup.closed_loop.run import EXACT, Setup, run_closed_loop
from njf_bringup.closed_loop.statistics import spread, summary, table
from njf_bringup.closed_loop.trial import Errors, TrialResult
from njf_bringup.closed_loop.waypoints import (
    DrawingConfig,
    PostureConfig,
    TaskConfig,
    postures,
    square,
)
from njf_bringup.paths import robot_file
from njf_control.robot import RobotConfig, load_robot
from njf_perception.config import parse_config
from njf_perception.errors import ConfigError
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel


@pytest.fixture(scope="module")
def finger() -> RobotConfig:
    return load_robot(robot_file("finger"))


@pytest.fixture(scope="module")
def plant(finger) -> Plant:
    model = RobotModel.from_robot(finger)
    return Plant(finger, model, Renderer(model))


def test_the_gate_limits_the_rate_and_the_robot_follows(plant, finger):
    plant.place(np.zeros(3))
    plant.submit(np.array([1.0, 0.0, 0.0]))
    plant.tick()  # two cycles of the driver
    assert plant.applied[0] == pytest.approx(2 * finger.max_rate[0] / finger.driver.rate_hz)
    plant.rest()
    np.testing.assert_allclose(plant.truth.position, plant.applied, atol=2e-3)


def test_an_image_shows_the_robot_as_it_was(plant):
    plant.place(np.zeros(3))
    first = plant.look()
    plant.submit(np.array([0.1, 0.0, 0.0]))
    plant.tick()
    second = plant.look()
    assert second.stamp_ns - first.stamp_ns == 50_000_000
    assert (first.rgb != second.rgb).any()
    assert first.robot.any() and not first.robot.all()


def test_exact_jacobians_reach_the_goal_and_a_run_continues(finger, tmp_path, monkeypatch):
    setup = Setup(finger, EXACT)
    results = run_closed_loop(setup, 1, tmp_path)
    assert results.trials[0].reason == "CONVERGED"
    assert results.trials[0].start.joint_deg > 10 > 0.3 > results.trials[0].end.joint_deg
    assert "joint error" in table(results.summary)
    monkeypatch.setattr("njf_bringup.closed_loop.run._work", pytest.fail)
    assert run_closed_loop(setup, 1, tmp_path).trials == results.trials


def test_a_run_that_cannot_begin_leaves_the_last_one_as_it_was(finger, tmp_path):
    (tmp_path / "goals.jsonl").write_text("results\n")
    (tmp_path / "setup.json").write_text("{}")
    with pytest.raises(ConfigError, match="no body 'payload'"):
        run_closed_loop(Setup(finger, EXACT, disturbance=Disturbance.WEIGHT), 1, tmp_path)
    assert (tmp_path / "goals.jsonl").read_text() == "results\n"
    assert (tmp_path / "setup.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ({"drawing": {"center_m": [0.1, 0.2]}}, "drawing.center_m"),
        ({"drawing": {"side_m": -0.1}}, "drawing.side_m"),
        ({"postures": [{"name": "fist", "setpoint": {"joint_1": float("inf")}}]}, "finite"),
        ({"postures": [{"name": "fist", "setpoint": {}}] * 2}, "a name of its own"),
        ({"posture": []}, "valid keys here: drawing, postures"),
    ],
)
def test_tasks_that_make_no_sense_are_refused(tasks, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(tasks, TaskConfig, "tasks")


def test_pixels_beside_the_robot_find_it_again():
    robot = np.zeros((10, 12), bool)
    robot[4:6, 3:8] = True
    pixels = np.array([[5.2, 4.9], [8.4, 5.0], [11.0, 9.0], [np.nan, 0.0]])
    at, found = nearest_robot_pixels(robot, pixels)
    assert found.tolist() == [True, True, False, False]
    assert at[:2].tolist() == [[5, 5], [7, 5]]


def test_disturbances_are_seeded_and_spare_the_robot(finger):
    robot = np.zeros((40, 60), bool)
    robot[10:30, 20:40] = True
    rgb = np.full((40, 60, 3), 100, np.uint8)

    def made(kind: Disturbance):  # noqa: ANN202
        return scenario(kind, finger, robot, np.random.default_rng(3))

    changed, still = made(Disturbance.BACKGROUND).seen(rgb, robot)
    assert (changed[robot] == 100).all() and still is robot and (changed != 100).any()
    _, visible = made(Disturbance.OCCLUDER).seen(rgb, robot)
    assert visible.sum() / robot.sum() == pytest.approx(0.75, abs=0.06)
    lit = made(Disturbance.LIGHT).seen(rgb, robot)[0]
    assert len(np.unique(lit.reshape(-1, 3), axis=0)) == 1 and (lit != rgb).any()
    bent = made(Disturbance.OFFSET).disturbed(np.zeros(3))
    assert np.count_nonzero(bent) == 1 and np.degrees(np.abs(bent).max()) == pytest.approx(4.8, 0.1)
    first, second = (picture(8, 9, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_noisy_camera_is_seeded_and_as_noisy_as_a_webcam(finger):
    robot = np.zeros((120, 160), bool)
    grey = np.repeat(np.array([40, 200], np.uint8), 60)[:, None, None]
    rgb = np.broadcast_to(grey, (120, 160, 3)).copy()

    def images() -> list[np.ndarray]:
        noisy = scenario(Disturbance.NOISE, finger, robot, np.random.default_rng(3))
        return [noisy.seen(rgb, robot)[0] for _ in range(2)]

    first, second = images()
    np.testing.assert_array_equal([first, second], images())
    noise = (first.astype(float) - second) / np.sqrt(2)  # what blur and compression add is alike
    dark, bright = noise[:50].std(), noise[70:].std()
    assert 1.2 < dark < bright < 3.0
    np.testing.assert_allclose([first[:50].mean(), first[70:].mean()], [40, 200], atol=0.5)
    middle = first[59:61].mean(axis=(1, 2))
    assert 45 < middle[0] < middle[1] < 195  # the edge is blurred


def test_the_interval_of_a_median_contains_it():
    figures = spread(np.arange(21.0))
    assert figures["median"] == 10.0
    assert 4.0 < figures["median_low"] < 10.0 < figures["median_high"] < 16.0


def test_a_square_is_drawn_where_the_camera_sees_it():
    poppy = load_robot(robot_file("poppy"))
    model = RobotModel.from_robot(poppy)
    drawing = TaskConfig(drawing=DrawingConfig(side_m=0.04, spacing_m=0.02))
    found = square(poppy, model, drawing)
    assert [bool(point.label) for point in found] == [True, *[False, True] * 4]
    for point in found:
        model.settle(point.setpoint)
        assert point.point_m is not None
        np.testing.assert_allclose(model.tip, point.point_m, atol=2.1e-4)
    corners = np.array([point.point_m for point in found])[::2]
    np.testing.assert_allclose(np.linalg.norm(np.diff(corners, axis=0), axis=1), 0.04, atol=1e-9)
    forward = model.cameras["camera_0"].T_world_camera[:3, 2]
    np.testing.assert_allclose((corners - corners[0]) @ forward, 0, atol=1e-9)


def test_long_ways_between_postures_are_cut(finger):
    names = finger.channel_names
    tasks = TaskConfig(
        postures=[
            PostureConfig(name="open", setpoint={}),
            PostureConfig(name="bent", setpoint={names[0]: 0.8 * finger.upper[0]}),
        ]
    )
    found = postures(finger, tasks)
    assert [point.label for point in found] == ["open", "", "", "bent"]
    assert np.abs(np.diff([point.setpoint[0] for point in found])).max() < 0.31 * finger.upper[0]
    wrong = TaskConfig(postures=[PostureConfig(name="odd", setpoint={"no_such": 0.0})])
    with pytest.raises(ConfigError, match="no_such"):
        postures(finger, wrong)


def test_a_motion_that_is_over_keeps_its_last_error():
    np.testing.assert_array_equal(padded([[3.0, 2.0, 1.0], [5.0], []]), [[3, 2, 1], [5, 5, 5]])


def test_a_weight_appears_only_after_the_goal_was_shown():
    robot = load_robot(robot_file("hsa"))
    model = RobotModel.from_robot(robot)
    loaded = scenario(Disturbance.WEIGHT, robot, np.ones((4, 4), bool), np.random.default_rng(0))
    platform = Plant(robot, model, Renderer(model), loaded)
    platform.place(np.zeros(4))
    before, views = platform.truth, []
    platform.disturb(views.append)
    sagged_mm = 1e3 * (before.tips - platform.truth.tips)[:, 2]
    assert sagged_mm.max() > 5 and len(views) > 20
    assert (views[-1].robot & ~views[0].robot).any()  # it is seen, too
    platform.place(np.zeros(4))
    np.testing.assert_allclose(platform.truth.tips, before.tips, atol=1e-5)


def test_under_a_weight_the_tips_decide():
    """Other joint angles than the goal's hold its pose then."""
    end = Errors(joint_deg=38.0, max_joint_deg=78.0, tip_mm=0.3, tips_mm=[0.3])
    trial = TrialResult(0, "CONVERGED", start=end, end=end)
    assert summary([trial])["success_rate"] == 0.0
    loaded = summary([trial], by_tips=True)
    assert loaded["success_rate"] == 1.0
    assert "joint_error_deg" not in loaded
