"""Commands that mend, as a shell takes them: they differ between the pip lane and a robot PC.

`make setup` repeats only what changed since its last success, so what was lost since then comes
back only when its stamp is gone.
"""

import errno
import shlex
import sys
from pathlib import Path

from njf_bringup.paths import robot_file, robot_name, root

SOURCE_ROS = ". /opt/ros/jazzy/setup.bash"


def in_pip_lane() -> bool:
    """This Python is that of `make setup`, not one that sees a ROS installation."""
    return Path(sys.prefix).resolve() == (root() / ".venv").resolve()


def install() -> str:
    """The command that installs the packages of the nodes."""
    if in_pip_lane():
        return "rm -f .venv/stamps/dependencies && make setup"
    return (
        "rosdep install --from-paths src --ignore-src -y && "
        "pip install -r requirements-robot-pc.txt"
    )


def ros() -> str:
    """The command that makes rclpy and the messages of ROS importable."""
    return install() if in_pip_lane() else SOURCE_ROS


def messages() -> str:
    """The command that builds the project's own messages."""
    if in_pip_lane():
        return "rm -f .venv/stamps/njf_msgs && make setup"
    return "python3 -m colcon build && . install/setup.bash"


def python() -> str:
    """The command that makes the environment anew, with a newer Python."""
    if in_pip_lane():
        return "rm -rf .venv && make setup PYTHON=python3.12"
    return (
        "python3.12 -m venv --system-site-packages ~/njf && "
        "~/njf/bin/pip install -r requirements-robot-pc.txt"
    )


def train(robot: str) -> str:
    """The command that makes a checkpoint; `robot` is a name or the path of a robot's file.

    The pipeline records in the simulation and knows the robots of config/robots only.
    """
    if robot_file(robot).resolve().parent != (root() / "config" / "robots").resolve():
        return f"njf train --robot {shlex.quote(robot)}"
    name = robot_name(robot)
    return f"make train-{name}" if in_pip_lane() else f"njf pipeline --robot {name}"


def after(error: ImportError | OSError) -> str:
    """What to do about an error that kept a check from being made."""
    if isinstance(error, ImportError):
        return _after_import(error)
    if error.errno == errno.ENOSPC:
        return "df -h   # and make room on the disk that is full"
    if error.filename:
        return f"ls -ld {shlex.quote(str(error.filename))}   # who may read and write it?"
    return "sudo dmesg | tail   # what the kernel says of it"


def _after_import(error: ImportError) -> str:
    package = (error.name or "").partition(".")[0]
    if package == "njf_msgs":
        return messages()
    if package.startswith(("rclpy", "rpyutils")) or package.endswith(("_msgs", "_interfaces")):
        return ros()
    return install()
