"""What `njf look` says of a robot's reach."""

import numpy as np

from njf_bringup.commands.look import report
from njf_bringup.paths import robot_file
from njf_control.robot import load_robot
from njf_sim.look import Reach


def test_it_says_where_the_robot_leaves_its_workspace_and_what_meets() -> None:
    robot = load_robot(robot_file("finger"))
    low, high = np.array(robot.workspace_min_m), np.array(robot.workspace_max_m)
    inside = Reach(low, high, 9, {})
    assert report(robot, inside) == [
        f"moving parts reach from {low.round(3).tolist()} to {high.round(3).tolist()} m in 9 poses"
    ]
    outside = Reach(low - [0.0, 0.1, 0.0], high + [0.0, 0.0, 0.1], 9, {"a and b": 1, "a and c": 4})
    _, leaves, often, once = report(robot, outside)
    assert "along y, z: widen it" in leaves
    assert often.startswith("a and c pass through each other in 4 poses")
    assert once.startswith("a and b")
