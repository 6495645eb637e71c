"""The page of a simulated robot, driven in a headless Chromium as a person would."""

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from action_msgs.msg import GoalStatus, GoalStatusArray
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from njf_bringup.browser.drags import grip
from njf_bringup.graph import load_graph
from njf_bringup.nodes.lifecycle import RosLifecycle
from njf_bringup.resolve import resolve
from njf_bringup.supervisor import Supervisor
from njf_control.nodes.visualization_messages import field_from_msg
from njf_control.robot import RobotConfig
from njf_control.servo.goal import GoalError
from njf_msgs.msg import CommandApplied, JacobianField, SafetyState
from njf_perception.nodes.conversions import camera_from_info, image_from_msg
from njf_perception.nodes.spinning import SpinThread

pytestmark = [pytest.mark.ros, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

WIDTH_PX = 320  # of the camera
PRESSES = 3  # until one is drawn
PATIENCE_MS = 60_000  # the whole graph, a browser and its software WebGL share few cores
# A busy machine is no fault here, and the robot need not hurry.
UNHURRIED = """
/**/jacobian_field:
  ros__parameters: {image_timeout_s: 10.0, robot_timeout_s: 10.0}
/**/driver:
  ros__parameters: {watchdog_timeout_s: 0.5}
/**/browser:
  ros__parameters: {goals: "GOALS"}
"""
POINTS_SHOWN = """() => {
    const name = Object.keys(window).find(key => key.startsWith("scene_c"));
    let count = 0;
    window[name].traverse(o => { if (o.isPoints) count += o.geometry.attributes.position.count; });
    return count;
}"""


@dataclass
class Witness:
    """What the graph says, beside the page."""

    robot: RobotConfig
    node: Any
    said: dict[type, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        camera = self.robot.control_camera.name
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        for kind, topic, qos in [
            (Image, f"{camera}/image_raw", qos_profile_sensor_data),
            (CameraInfo, f"{camera}/camera_info", qos_profile_sensor_data),
            (JacobianField, "jacobian_field", 1),
            (CommandApplied, "command_applied", 10),
            (SafetyState, "safety_state", latched),
            (GoalStatusArray, "visual_servo/_action/status", latched),
        ]:
            self.node.create_subscription(kind, topic, self._keep, qos)
        self._servo = AsyncParameterClient(self.node, "jacobian_field")

    def _keep(self, msg: Any) -> None:
        self.said[type(msg)] = msg

    @property
    def state(self) -> int:
        return self.said[SafetyState].state

    @property
    def measured(self) -> np.ndarray:
        applied = self.said[CommandApplied]
        by_name = dict(zip(applied.channel_names, applied.measured, strict=True))
        return np.array([by_name[name] for name in self.robot.channel_names])

    def reachable_drags(self, command: list[float]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Spots and where the model says a command in half ranges brings them [px].

        To first order: a straight finger reaches a little less far than it says, so ask for little.
        """
        half_range = (self.robot.upper - self.robot.lower) / 2
        camera = camera_from_info(self.said[CameraInfo], "camera")
        field = field_from_msg(self.said[JacobianField], self.robot.channel_names, half_range)
        image = image_from_msg(self.said[Image])
        begin, motion = field.sure(0.6).flow_px(np.array(command), camera.K)
        for index in np.argsort(-np.linalg.norm(motion, axis=1)):
            end = begin[index] + motion[index]
            if (end > 10).all() and (end < [camera.width - 10, camera.height - 10]).all():
                try:
                    grip(image, begin[index], field, camera)
                except GoalError:
                    continue
                yield begin[index], end

    def set_max_step(self, value: float, wait_until: Callable) -> None:
        done = self._servo.set_parameters([Parameter("max_step", value=value)])
        wait_until(done.done, 60.0, "parameter of the servo")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Witness, str]]:
    """A running finger with its page: what it says, and the page's address."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "unhurried.yaml").write_text(UNHURRIED.replace("GOALS", str(folder / "goals")))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "browser": True,
        "browser_port": port,
        "visualize": False,
        "camera_rate_hz": 8.0,
        "run_dir": str(folder),
        "params_file": str(folder / "unhurried.yaml"),
    }
    with Supervisor(resolve(load_graph(), options), RosLifecycle, 120.0) as supervisor:
        context = rclpy.Context()
        rclpy.init(context=context)
        node = rclpy.create_node("witness", context=context)
        witness = Witness(supervisor._graph.robot, node)
        thread = SpinThread(node)
        while not serves(port):
            supervisor.check()
            time.sleep(0.2)
        yield witness, f"http://localhost:{port}/"
        thread.close()
        node.destroy_node()
        context.try_shutdown()
        supervisor.check()


@pytest.fixture(scope="module")
def page(graph: tuple[Witness, str], chromium: Any) -> Any:
    """The open page."""
    page = chromium.new_page(viewport={"width": 1000, "height": 800})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(graph[1])
    page.wait_for_function(POINTS_SHOWN)
    return page


@pytest.fixture
def witness(graph: tuple[Witness, str]) -> Witness:
    return graph[0]


def serves(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def picture_of(page: Any, name: str) -> np.ndarray:
    shot = np.frombuffer(page.get_by_test_id(name).screenshot(), np.uint8)
    return np.asarray(cv2.imdecode(shot, cv2.IMREAD_COLOR)).astype(int)


def wait_for_text(page: Any, name: str, text: str) -> str:
    deadline_s, seen = time.monotonic() + PATIENCE_MS / 1000, ""
    refusals: set[str] = set()
    while text not in seen:
        if time.monotonic() > deadline_s:
            pytest.fail(f"waited in vain for '{text}'; {name} says '{seen}', refused: {refusals}")
        page.wait_for_timeout(200)
        seen = page.get_by_test_id(name).inner_text()
        refusals |= set(page.locator(".q-notification").all_inner_texts())
    return seen


def drag(page: Any, witness: Witness, command: list[float]) -> None:
    """Draw a drag on the page, whose newest picture may be another one than the witness's."""
    drawn = page.get_by_test_id("camera").locator("svg text")
    refusals: set[str] = set()
    for begin, end in islice(witness.reachable_drags(command), PRESSES):
        pull(page, begin, end)
        for _ in range(PATIENCE_MS // 200 // PRESSES):
            if drawn.count():
                return
            refusals |= set(page.locator(".q-notification").all_inner_texts())
            page.wait_for_timeout(200)
    pytest.fail(f"no drag is drawn; refused: {refusals or 'nothing'}")


def pull(page: Any, begin: np.ndarray, end: np.ndarray) -> None:
    box = page.get_by_test_id("camera").locator("img").bounding_box()
    scale = box["width"] / WIDTH_PX
    corner = np.array([box["x"], box["y"]])
    page.mouse.move(*(corner + scale * (begin + 0.5)))
    page.mouse.down()
    page.mouse.move(*(corner + scale * (end + 0.5)), steps=4)
    page.mouse.up()


def start_slow_goal(page: Any, witness: Witness, wait_until: Callable) -> None:
    """A goal that takes many seconds. What an earlier attempt has left is put right first."""
    if page.get_by_test_id("reset").is_visible():
        page.get_by_test_id("reset").click()
    page.get_by_test_id("clear").click(force=True)  # it may be disabled: nothing to clear then
    witness.set_max_step(0.005, wait_until)  # one tick of the servos
    drag(page, witness, [-0.3, 0.0, 0.0])
    page.get_by_test_id("start").click()
    wait_for_text(page, "pursuit", "px left")
    wait_until(lambda: witness.state == SafetyState.RUNNING, 60.0, "motion")


def test_the_page_shows_the_robot(page: Any) -> None:
    assert "finger" in page.title()
    wait_for_text(page, "state", "READY")
    image = page.get_by_test_id("camera").locator("img")
    size = image.evaluate(
        "async i => { await i.decode(); return [i.naturalWidth, i.naturalHeight]; }"
    )
    assert size == [WIDTH_PX, 240]
    assert page.evaluate(POINTS_SHOWN) > 200
    page.get_by_test_id("diagnostics").get_by_text("jacobian_field").wait_for()
    assert picture_of(page, "scene").std() > 5


def test_sliders_move_the_picture(page: Any, wait_until: Callable[..., None]) -> None:
    scene, arrows = picture_of(page, "scene"), page.get_by_test_id("camera").locator("svg path")
    assert arrows.count() == 0
    box = page.get_by_test_id("slider_joint_0").bounding_box()
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    arrows.nth(5).wait_for(state="attached")

    def has_moved() -> bool:
        changed = np.abs(picture_of(page, "scene") - scene).max(axis=2) > 40
        return changed.mean() > 0.005  # of the scene's pixels

    wait_until(has_moved, 60.0)
    page.get_by_test_id("zero").click()
    arrows.first.wait_for(state="detached")


def test_a_drag_becomes_a_goal_that_the_robot_reaches(page: Any, witness: Witness) -> None:
    before = witness.measured
    drag(page, witness, [0.1, 0.0, 0.0])
    page.get_by_test_id("start").click()
    text = wait_for_text(page, "pursuit", "Reached")
    assert float(text.split()[1]) <= 3.0  # px
    assert np.abs(witness.measured - before).max() > 0.05  # rad
    assert page.get_by_test_id("camera").locator("svg text").count() == 0  # it is no draft now


def test_a_goal_is_saved_and_reached_again(page: Any, witness: Witness) -> None:
    name = f"here_{time.monotonic_ns()}"
    page.get_by_test_id("goal_name").fill(name)
    page.get_by_test_id("save").click()
    page.get_by_text(f"goals/finger/{name}").wait_for()
    drag(page, witness, [-0.1, 0.0, 0.0])
    page.get_by_test_id("start").click()
    wait_for_text(page, "pursuit", "On its way")
    wait_for_text(page, "pursuit", "Reached")
    away = witness.measured
    page.get_by_test_id("saved").locator("xpath=ancestor::label").click()
    page.get_by_role("option", name=name).click()
    page.get_by_test_id("start_saved").click()
    wait_for_text(page, "pursuit", "On its way")
    wait_for_text(page, "pursuit", "Reached")
    assert np.abs(witness.measured - away).max() > 0.05  # rad


def test_a_press_beside_the_robot_is_refused_in_words(page: Any) -> None:
    box = page.get_by_test_id("camera").locator("img").bounding_box()
    page.mouse.click(box["x"] + 10, box["y"] + box["height"] - 10)
    page.get_by_text("The model sees no robot at pixel").wait_for()
    assert page.get_by_test_id("start").is_disabled()


def test_stop_cancels_the_goal(page: Any, witness: Witness, wait_until: Callable) -> None:
    start_slow_goal(page, witness, wait_until)
    page.get_by_test_id("stop").click()
    wait_for_text(page, "pursuit", "Canceled")
    wait_until(lambda: witness.state == SafetyState.HOLDING, 30.0, "rest")


def test_the_emergency_stop_latches_and_resets(
    page: Any, witness: Witness, wait_until: Callable
) -> None:
    start_slow_goal(page, witness, wait_until)
    page.get_by_test_id("estop").click()
    wait_until(lambda: witness.state == SafetyState.ESTOP, 30.0, "emergency stop")
    assert "browser page" in witness.said[SafetyState].reason
    wait_for_text(page, "state", "ESTOP")
    wait_for_text(page, "pursuit", "Estopped")
    drag(page, witness, [0.1, 0.0, 0.0])
    page.get_by_test_id("start").click()
    page.get_by_text("The robot is ESTOP").wait_for()
    page.get_by_test_id("reset").click()
    wait_until(lambda: witness.state != SafetyState.ESTOP, 30.0, "reset")
    page.get_by_test_id("clear").click()


def test_a_goal_that_nobody_watches_ends(page: Any, witness: Witness, wait_until: Callable) -> None:
    start_slow_goal(page, witness, wait_until)
    page.close()

    def ends() -> set[int]:
        return {goal.status for goal in witness.said[GoalStatusArray].status_list[-1:]}

    wait_until(lambda: ends() == {GoalStatus.STATUS_CANCELED}, 60.0, "end of the goal")
    wait_until(lambda: witness.state == SafetyState.HOLDING, 30.0, "rest")
