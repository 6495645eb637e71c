"""A simulated finger follows a motion that it was shown as a video."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from njf_bringup.closed_loop.jacobians import ExactEyes
from njf_bringup.closed_loop.plant import Plant, View
from njf_control.robot import load_robot
from njf_control.servo import Reason, Servo, ServoConfig, ServoStep
from njf_control.servo.goal import goal_from_waypoints
from njf_control.servo.session import EncodedImage, Session
from njf_control.servo.waypoints import Waypoints, demonstration_from_video
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker, pick_points
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel

ROBOT = load_robot(Path(__file__).parents[1] / "config" / "robots" / "finger.yaml")
START_RAD, CORNER_RAD, END_RAD = np.array([[-0.5, 0.1, 0.1], [0.3, 0.1, 0.1], [0.3, 0.6, -0.3]])
SPEED = 0.8  # [half range / s]


def show(plant: Plant, view: View) -> tuple[Float[np.ndarray, "n 2"], Waypoints]:
    """Points of the robot in its first image, and the waypoints of a motion around a corner."""
    video = [view.rgb]
    for target in (CORNER_RAD, END_RAD):
        plant.move(target, SPEED, lambda seen: video.append(seen.rgb))
    points = pick_points(view.rgb, view.robot, 60)
    return points, demonstration_from_video(video, points, LucasKanadeTracker)


def follow(
    plant: Plant, points: Float[np.ndarray, "n 2"], waypoints: Waypoints
) -> tuple[list[ServoStep], list[Float[np.ndarray, " k"]]]:
    eyes = ExactEyes(ROBOT, RobotModel.from_robot(ROBOT))
    goal = goal_from_waypoints(points.astype(np.float32), waypoints)
    servo = Servo(ServoConfig(), eyes.space, plant.history, max_steps=200)
    session = Session(lambda *_: goal, LucasKanadeTracker, eyes.model, servo)
    steps, way = [], []
    while not steps or steps[-1].reason is None:
        view = plant.look()
        session.on_image(view.stamp_ns, view.rgb, plant.camera)
        encoding = eyes.encode(view, plant.camera)
        step = session.on_encoding(EncodedImage(view.stamp_ns, encoding, plant.camera))
        assert step is not None
        steps.append(step)
        way.append(plant.truth.position)
        plant.submit(step.setpoint)
        plant.tick()
    plant.rest()
    return steps, way


def test_finger_follows_what_it_was_shown() -> None:
    model = RobotModel.from_robot(ROBOT)
    plant = Plant(ROBOT, model, Renderer(model))
    plant.place(START_RAD)
    plant.rest()
    points, waypoints = show(plant, plant.look())
    shown_rad = plant.truth.position
    plant.place(START_RAD)
    plant.rest()
    steps, way = follow(plant, points, waypoints)
    assert steps[-1].reason is Reason.CONVERGED
    assert len(waypoints) >= 4 and steps[-1].waypoint == len(waypoints) - 1
    off_deg = np.degrees(np.abs(plant.truth.position - shown_rad))
    corner_deg = np.degrees(np.abs(np.array(way) - CORNER_RAD)).mean(axis=1).min()
    assert off_deg.max() < 1.0
    assert corner_deg < 4.0, "on the straight line it would be 15"
