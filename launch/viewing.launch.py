"""What RViz and Foxglove show, and the two themselves. `--show-args` is the manual."""

from njf_bringup.launch_actions import describe


def generate_launch_description():
    return describe("viewing")
