"""The robot's cameras, and where they stand. `--show-args` is the manual."""

from njf_bringup.launch_actions import LaunchDescription, describe


def generate_launch_description() -> LaunchDescription:
    return describe("cameras")
