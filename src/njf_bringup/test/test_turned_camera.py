"""Every robot's own reference view against rendered images of a camera that was bumped."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from jaxtyping import Float

from njf_bringup.closed_loop.disturbances import Disturbance, scenario
from njf_bringup.closed_loop.jacobians import LearnedEyes
from njf_bringup.closed_loop.plant import Plant, View
from njf_bringup.paths import checkpoint_file, robot_file
from njf_control.robot import RobotConfig, load_robot
from njf_perception.camera import Camera
from njf_perception.checkpoint import load_checkpoint
from njf_perception.registration import (
    ReferenceView,
    Registration,
    Verdict,
    rotation_angle_rad,
)
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel

TURN = np.eye(4)
TURN[:3, :3] = cv2.Rodrigues(np.deg2rad(5.0) * np.array([0.48, -0.64, 0.6]))[0]
PUSH = np.eye(4)
PUSH[:3, 3] = [0.016, 0.012, 0.0]
ROBOTS = ["finger", "poppy", "allegro", "pneumatic", "hsa"]


@dataclass(frozen=True)
class Bumped:
    """A robot before a camera that is moved after the checkpoint was made."""

    robot: RobotConfig
    reference: ReferenceView

    def view(self, motion: Float[np.ndarray, "4 4"]) -> tuple[View, Camera]:
        """See `seen`."""
        return seen(self.robot, motion)

    def register(self, view: View, camera: Camera, kind: Disturbance) -> Registration:
        """What the reference view says of a disturbed image."""
        disturbed = scenario(kind, self.robot, view.robot, np.random.default_rng(2))
        image, _ = disturbed.seen(view.rgb, view.robot)
        return self.reference.register(image, camera)


def seen(robot: RobotConfig, motion: Float[np.ndarray, "4 4"]) -> tuple[View, Camera]:
    """The robot at a random pose, and the camera that sees it once it was moved."""
    model, name = RobotModel.from_robot(robot), robot.control_camera.name
    there = model.cameras[name].T_world_camera @ motion
    model.cameras[name] = replace(model.cameras[name], T_world_camera=there)
    plant = Plant(robot, model, Renderer(model))
    share = np.random.default_rng(8).uniform(0.1, 0.9, len(robot.channels))
    plant.place(robot.lower + share * (robot.upper - robot.lower))
    return plant.look(), plant.camera


@pytest.fixture(scope="module", params=ROBOTS)
def bumped(request) -> Bumped:
    reference = load_checkpoint(checkpoint_file(request.param)).reference_view()
    assert reference is not None
    return Bumped(load_robot(robot_file(request.param)), reference)


def test_a_turn_is_measured_and_another_background_is_not_believed(bumped) -> None:
    view, camera = bumped.view(TURN)
    for kind in ("none", "occluder", "light", "noise"):
        found = bumped.register(view, camera, Disturbance(kind))
        assert found.verdict is Verdict.TURNED, kind
        error = rotation_angle_rad(found.R_trained_camera @ TURN[:3, :3].T)
        assert error < np.deg2rad(0.15), kind
    strange = bumped.register(view, camera, Disturbance.BACKGROUND)
    assert strange.verdict is Verdict.UNKNOWN


def test_a_push_looks_like_a_turn_of_what_is_seen(bumped) -> None:
    """The turn that shows the table where it was; the robot is nearer, so part of it remains."""
    view, camera = bumped.view(PUSH)
    found = bumped.register(view, camera, Disturbance.NONE)
    middle = (np.array(bumped.robot.workspace_min_m) + bumped.robot.workspace_max_m) / 2
    T = camera.T_world_camera
    now = T[:3, :3].T @ (middle - T[:3, 3])
    trained = PUSH[:3, 3] + now
    off_px = [
        np.linalg.norm(camera.project(R @ now) - camera.project(trained))
        for R in (np.eye(3), found.R_trained_camera)
    ]
    assert found.verdict is Verdict.TURNED
    assert off_px[1] < 0.6 * off_px[0]


def test_a_camera_in_its_place_is_left_alone(bumped) -> None:
    view, camera = bumped.view(np.eye(4))
    assert bumped.register(view, camera, Disturbance.NONE).verdict is Verdict.UNMOVED


def test_the_loop_sees_the_robot_where_it_was_in_training() -> None:
    finger = load_robot(robot_file("finger"))
    (view, camera), (unturned, _) = seen(finger, TURN), seen(finger, np.eye(4))
    plain, helped = (LearnedEyes(checkpoint_file("finger"), finger, on) for on in (False, True))
    expected = plain.encode(unturned, camera).global_code
    off = [(eyes.encode(view, camera).global_code - expected).norm() for eyes in (plain, helped)]
    assert off[1] < 0.25 * off[0]
    assert helped.encode(view, camera).R_trained_camera == pytest.approx(TURN[:3, :3], abs=2e-3)
