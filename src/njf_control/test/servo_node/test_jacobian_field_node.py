"""What the node `jacobian_field` takes in and says beside its goals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import State
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from njf_control.nodes.jacobian_field import JacobianFieldNode
from njf_control.servo import Reason
from njf_msgs.action import VisualServo
from njf_msgs.msg import JacobianField as JacobianFieldMsg
from njf_perception.camera import Camera

pytestmark = pytest.mark.ros


@pytest.mark.parametrize("measured", [True, False])
def test_measured_depth_reaches_the_model_and_its_lack_stops_nothing(
    checkpoint: Path,
    start_node: Callable[..., JacobianFieldNode],
    make_world: Callable[[], Any],
    spin: Callable[..., None],
    robot_file: Path,
    tmp_path: Path,
    measured: bool,
) -> None:
    with_depth = tmp_path / "finger.yaml"
    text = robot_file.read_text()
    with_depth.write_text(text.replace("{name: camera_0,", "{name: camera_0, depth: true,"))
    node, world = start_node(checkpoint, with_depth), make_world()
    spin(world)
    assert world.change(world.CONFIGURE)
    proposal_m = float(node._model._scene_model.workspace.center[2])
    depth_mm = round(1e3 * proposal_m) + 11  # near what the untrained model thinks
    if measured:
        world.depth = np.full((240, 320), depth_mm, np.uint16)
        world.depth[:, 160:] = 0  # half of the image knows nothing
    asked: list[np.ndarray | None] = []
    depths_m: list[np.ndarray] = []
    evaluate = node._model.evaluate

    def note(encoding: Any, camera: Camera, pixels: np.ndarray, told: Any) -> Any:
        surface = evaluate(encoding, camera, pixels, told)
        asked.append(told)
        depths_m.append(surface.points_m[:, 2])
        return surface

    node._model.evaluate = note  # type: ignore[method-assign]
    assert world.change(world.ACTIVATE)
    result = world.result_of(world.send(world.goal(max_steps=20)))
    assert result.reason == VisualServo.Result.TIMEOUT and result.steps == 20, result.message
    if not measured:
        assert all(told is None for told in asked)
        return
    found = [(told, got) for told, got in zip(asked, depths_m, strict=True) if told is not None]
    assert found, "no step had a depth image"
    told, got = found[-1]
    known = np.isfinite(told)
    assert 0 < known.sum() < len(known)
    np.testing.assert_allclose(got[known], depth_mm / 1e3, rtol=1e-5)
    assert np.abs(got[~known] - depth_mm / 1e3).min() > 0.005


def test_jacobian_field_is_published_for_a_subscriber(world: Any) -> None:
    fields: list[JacobianFieldMsg] = []
    world.create_subscription(JacobianFieldMsg, "jacobian_field", fields.append, 1)
    world.wait_until(lambda: fields)
    field = fields[0]
    assert len(field.jacobian) == len(field.points) * 3 * 3
    assert len(field.confidence) == len(field.points)
    assert list(field.channel_units) == ["rad"] * 3
    assert not world.commands


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"robot": "arm"}, "robot arm"),
        ({"channel_names": ["joint_0", "joint_1", "elbow"]}, "channel_names"),
        ({"camera_name": "other"}, "camera 'other'"),
    ],
)
def test_checkpoint_of_something_else_is_refused(
    write_checkpoint: Callable[..., None],
    ros_context: None,
    robot_file: Path,
    tmp_path: Path,
    change: dict[str, Any],
    message: str,
) -> None:
    path = tmp_path / "other.pt"
    write_checkpoint(path, **change)
    values = {"robot_file": str(robot_file), "checkpoint": str(path)}
    node = JacobianFieldNode(
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()]
    )
    logged: list[str] = []
    node.get_logger = lambda: type("Log", (), {"error": lambda self, text: logged.append(text)})()  # type: ignore[method-assign]
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert message in logged[0]
    assert node._state_machine.current_state[0] == State.PRIMARY_STATE_UNCONFIGURED
    node.destroy_node()


def test_reasons_are_those_of_the_action() -> None:
    for reason in Reason:
        assert getattr(VisualServo.Result, reason.name) == reason
