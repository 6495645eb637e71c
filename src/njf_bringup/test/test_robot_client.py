"""The demo's client with the real simulator and driver, without a model."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from njf_bringup.demo.goals import draw_trials
from njf_bringup.demo.legs import TRACKING_SPEED
from njf_bringup.demo.results import mean_error_px
from njf_bringup.graph import ResolvedGraph, load_graph
from njf_bringup.nodes.lifecycle import RosLifecycle
from njf_bringup.nodes.robot_client import RobotClient
from njf_bringup.nodes.session import TRAVEL_SPEED, Session
from njf_bringup.resolve import resolve
from njf_bringup.supervisor import Supervisor
from njf_perception.errors import CommandRejectedError, StaleDataError

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> ResolvedGraph:
    return resolve(load_graph(), {"task": "none", "run_dir": str(tmp_path_factory.mktemp("run"))})


@pytest.fixture(scope="module")
def client(graph: ResolvedGraph) -> Iterator[RobotClient]:
    """A client that joins a robot which has just come up."""
    with (
        Supervisor(graph, RosLifecycle) as supervisor,
        RobotClient(graph.robot, supervisor.check) as joined,
    ):
        yield joined


def test_a_client_that_cannot_join_leaves_no_thread_behind(graph: ResolvedGraph) -> None:
    def broken() -> None:
        raise StaleDataError("the graph is broken")

    with pytest.raises(StaleDataError), RobotClient(graph.robot, broken):
        pytest.fail("joined a broken graph")
    assert not [t for t in threading.enumerate() if t.name == "demo-client"]


def test_the_first_motion_begins_where_the_robot_stands(
    client: RobotClient, graph: ResolvedGraph
) -> None:
    target = 0.5 * graph.robot.lower
    pictures = []
    client.move(target, TRAVEL_SPEED, pictures.append)
    assert np.abs(client.measured() - target).max() < np.radians(1)
    stamps = [picture.stamp_ns for picture in pictures]
    assert len(stamps) > 3 and stamps == sorted(set(stamps))


def test_a_picture_at_rest_is_taken_after_it_was_asked_for(client: RobotClient) -> None:
    before_ns = client.node.get_clock().now().nanoseconds
    assert client.picture_at_rest().stamp_ns > before_ns


def test_points_on_the_robot_are_followed_away_from_the_goal(
    client: RobotClient, graph: ResolvedGraph
) -> None:
    session = Session(client, graph.robot)
    trial = draw_trials(graph.robot, 1, seed=0)[0]
    goal, legs = session.show(trial)
    assert goal.error_px == 0.0
    watches = [leg.watch() for leg in legs]
    for leg in legs:
        assert leg.now.visible.sum() > 0.5 * len(leg.then.points) > 20
    start = client.picture_at_rest().image
    here = watches[0].update(start)
    assert mean_error_px(here, legs[0].then) > 3
    tracks = []
    client.move(trial.goal, TRACKING_SPEED, lambda p: tracks.append(watches[-1].update(p.image)))
    there = watches[-1].update(client.picture_at_rest().image)
    assert mean_error_px(there, legs[-1].then) < 1.0


def test_a_pose_out_of_range_is_not_reached_and_said_so(
    client: RobotClient, graph: ResolvedGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("njf_bringup.nodes.robot_client.SILENCE_S", 1.0)
    with pytest.raises(CommandRejectedError, match="does not arrive"):
        client.move(1.5 * graph.robot.upper, TRAVEL_SPEED)
