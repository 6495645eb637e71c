"""The whole graph: cameras, robot, control, viewers, recording. `--show-args` is the manual.

Simulated, `ros2 launch njf_bringup njf.launch.py robot:=poppy rviz:=true`; on hardware add
`sim:=false params_file:=camera.yaml`.
"""

from njf_bringup.launch_actions import include


def generate_launch_description():
    return include(
        "cameras.launch.py",
        "robot.launch.py",
        "control.launch.py",
        "viewing.launch.py",
        "recording.launch.py",
    )
