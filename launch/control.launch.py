"""Perception, Jacobian field and solver; or the explorer. `--show-args` is the manual."""

from njf_bringup.launch_actions import describe


def generate_launch_description():
    return describe("control")
