"""The robot's cameras, and where they stand. `--show-args` is the manual."""

from njf_bringup.launch_actions import describe


def generate_launch_description():
    return describe("cameras")
