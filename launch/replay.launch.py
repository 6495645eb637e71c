"""Model and solver on a recording that `ros2 bag play --clock` plays; nothing reaches a robot.

`ros2 launch njf_bringup replay.launch.py robot:=finger play_bag:=out/bag`.
"""

from njf_bringup.bag_actions import describe_replay


def generate_launch_description():
    return describe_replay()
