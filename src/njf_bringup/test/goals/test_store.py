"""Goals saved by name: what comes back, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from njf_bringup.goals import GoalStore, PointPaths, TaughtGoal, image_goal, tracks_goal
from njf_bringup.paths import robot_file
from njf_control.robot import load_robot
from njf_perception.errors import ConfigError, DataError

PICTURE = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)
START, GOAL = np.array([[100.0, 80.5], [130, 90]]), np.array([[110.0, 80], [140, 95.25]])


@pytest.fixture
def store(tmp_path: Path) -> GoalStore:
    return GoalStore(load_robot(robot_file("finger")), tmp_path / "goals")


def test_picked_points_come_back_with_their_picture(store: GoalStore) -> None:
    place = store.save("reach", tracks_goal(PICTURE, START, GOAL, note="to the cup"))
    assert place == store.folder / "finger" / "reach"
    goal = store.load("reach")
    assert (goal.kind, goal.note) == ("tracks", "to the cup")
    assert goal.start is not None and (goal.start == PICTURE).all()
    assert goal.paths is not None and not goal.paths.is_way
    np.testing.assert_allclose(goal.paths.start.points, START)
    np.testing.assert_allclose(goal.paths.end.points, GOAL)


def test_spots_come_back_and_must_fit_the_points(store: GoalStore) -> None:
    store.save("drag", tracks_goal(PICTURE, START, GOAL, spots=np.array([3, 3])))
    paths = store.load("drag").paths
    assert paths is not None and paths.spots is not None
    assert paths.spots.tolist() == [3, 3]
    assert paths.of(np.array([False, True])).spots is not None
    file = store.home / "drag" / "goal.yaml"
    file.write_text(file.read_text().replace("- 3\n- 3\n", "- 3\n- 3\n- 4\n"))
    with pytest.raises(DataError, match="drag: 3 spots are given for 2 points"):
        store.load("drag")
    way = PointPaths(
        np.arange(3.0),
        np.arange(2),
        np.stack([START, START, GOAL]).astype(np.float32),
        np.ones((3, 2), bool),
        np.ones((3, 2), np.float32),
        spots=np.array([3, 3]),
    )
    with pytest.raises(DataError, match="points of a way cannot be spots"):
        store.save("way", TaughtGoal("csv", paths=way))


def test_a_goal_image_comes_back_pixel_by_pixel(store: GoalStore) -> None:
    store.save("pose.2", image_goal(PICTURE))
    goal = store.load("pose.2")
    assert goal.goal is not None and (goal.goal == PICTURE).all()
    assert goal.paths is None and goal.start is None
    assert store.about("pose.2").camera == "camera_0"


def test_a_demonstration_keeps_its_film_and_what_was_hidden_on_the_way(
    store: GoalStore, tmp_path: Path
) -> None:
    film = tmp_path / "film.avi"
    film.write_bytes(b"film")
    points = np.stack([START, START + 5, GOAL]).astype(np.float32)
    seen = np.array([[True, True], [True, False], [True, True]])
    paths = PointPaths(
        np.array([0.0, 0.05, 0.1]), np.array([0, 1]), points, seen, seen.astype(np.float32)
    )
    store.save("wave", TaughtGoal("demonstration", PICTURE, PICTURE, paths, film))
    goal = store.load("wave")
    assert goal.video is not None and goal.video.read_bytes() == b"film"
    assert goal.paths is not None and goal.paths.is_way
    np.testing.assert_array_equal(goal.paths.visible, seen)
    np.testing.assert_allclose(goal.paths.points_px[seen], points[seen])
    np.testing.assert_allclose(goal.paths.times_s, paths.times_s)


def test_nothing_is_written_over_without_force(store: GoalStore) -> None:
    store.save("reach", image_goal(PICTURE))
    with pytest.raises(ConfigError, match="exists. Choose another name, or replace it with --for"):
        store.save("reach", tracks_goal(PICTURE, START, GOAL))
    assert store.load("reach").kind == "image"
    store.save("reach", tracks_goal(PICTURE, START, GOAL), force=True)
    assert store.load("reach").goal is None
    assert [path.name for path in store.home.iterdir()] == ["reach"]


def test_what_cannot_be_saved_leaves_nothing_behind(store: GoalStore) -> None:
    with pytest.raises(DataError, match="has 160 x 120 px, the camera 320 x 240"):
        store.save("small", image_goal(np.ascontiguousarray(PICTURE[::2, ::2])))
    with pytest.raises(DataError, match=r"points end at \(400, 80\) px, outside the image"):
        store.save("far", tracks_goal(PICTURE, START, np.array([[400.0, 80], [140, 95]])))
    with pytest.raises(DataError, match="kind 'demonstration' needs start and goal and video"):
        store.save(
            "half", TaughtGoal("demonstration", paths=tracks_goal(PICTURE, START, GOAL).paths)
        )
    with pytest.raises(DataError, match="2 points with 1 targets"):
        tracks_goal(PICTURE, START, GOAL[:1])
    for name in ("../reach", "", ".hidden", "a/b", "x" * 65):
        with pytest.raises(ConfigError, match="cannot name a goal"):
            store.save(name, image_goal(PICTURE))
    assert store.names() == [] and not list(store.folder.rglob("*.*"))


def test_another_robot_camera_or_size_is_named(store: GoalStore) -> None:
    store.save("reach", image_goal(PICTURE))
    file = store.home / "reach" / "goal.yaml"
    changed = yaml.safe_load(file.read_text()) | {"robot": "poppy", "camera": "c", "width_px": 640}
    file.write_text(yaml.safe_dump(changed))
    expected = "robot poppy, not finger; camera c, not camera_0; image size 640 x 240 px, not 320"
    with pytest.raises(ConfigError, match=expected):
        store.load("reach")


def test_broken_goals_say_what_is_broken(store: GoalStore) -> None:
    place = store.save("reach", tracks_goal(PICTURE, START, GOAL))
    with pytest.raises(ConfigError, match="has no goal 'rech' in .*; goals: reach"):
        store.load("rech")
    (place / "start.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"start\.png is no picture"):
        store.load("reach")
    (place / "start.png").unlink()
    with pytest.raises(DataError, match="kind 'tracks' needs start"):
        store.load("reach")
    (place / "goal.yaml").write_text("kind: tracks\ncolour: red\n")
    with pytest.raises(ConfigError, match="unknown key 'colour'"):
        store.load("reach")


def test_a_goal_is_deleted_once(store: GoalStore) -> None:
    store.save("reach", image_goal(PICTURE))
    assert store.names() == ["reach"]
    store.delete("reach")
    assert store.names() == []
    with pytest.raises(ConfigError, match="goals: none yet"):
        store.delete("reach")
