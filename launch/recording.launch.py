"""The recorder: an MCAP bag of every topic that a dataset needs. `--show-args` is the manual."""

from njf_bringup.launch_actions import describe


def generate_launch_description():
    return describe("recording")
