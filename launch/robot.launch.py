"""The robot: its driver behind the safety gate, simulated or real. `--show-args` is the manual."""

from njf_bringup.launch_actions import describe


def generate_launch_description():
    return describe("robot")
