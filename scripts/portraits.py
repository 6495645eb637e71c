"""Draws docs/images/robots.png: every robot of the project, side by side.

Run it after a change of a robot's looks: .venv/bin/python scripts/portraits.py
"""

from pathlib import Path

import numpy as np
from PIL import Image

from njf_control.robot import load_robot
from njf_sim.portrait import portrait
from njf_sim.robot_model import RobotModel

ROOT = Path(__file__).parents[1]
ROBOTS = ("finger", "poppy", "allegro", "pneumatic", "hsa")
POSE = (0.75, 0.35, 0.7, 0.45, 0.65)  # of each channel's range, over and over
WIDTH_PX = 360


def main() -> None:
    """Pose, settle and draw every robot as its control camera sees it."""
    pictures = []
    for name in ROBOTS:
        robot = load_robot(ROOT / "config" / "robots" / f"{name}.yaml")
        model = RobotModel.from_robot(robot)
        share = np.resize(POSE, len(robot.channels))
        configuration = model.settle(robot.lower + share * (robot.upper - robot.lower))
        camera = model.cameras[robot.control_camera.name]
        picture = portrait(model, configuration, camera, WIDTH_PX)
        middle = (WIDTH_PX - picture.shape[0]) // 2
        pictures.append(picture[:, middle : WIDTH_PX - middle])
    Image.fromarray(np.concatenate(pictures, axis=1)).save(ROOT / "docs" / "images" / "robots.png")


if __name__ == "__main__":
    main()
