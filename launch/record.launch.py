"""Record a running graph with `ros2 bag record`: MCAP, compressed, with its quality of service.

`ros2 launch njf_bringup record.launch.py robot:=finger bag:=my_bag`; `--show-args` is the manual.
"""

from njf_bringup.bag_actions import describe_recording


def generate_launch_description():
    return describe_recording()
