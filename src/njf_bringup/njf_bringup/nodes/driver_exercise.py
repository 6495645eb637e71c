"""Keeps a driver busy with a slow swing, and hears what it says of its loop."""

import itertools
import math
import time

import rclpy
from rclpy.executors import SingleThreadedExecutor

from njf_bringup.nodes.loop_watch import LoopWatch
from njf_control.robot import RobotConfig
from njf_msgs.msg import Command

_PERIOD_S = 0.02


class DriverExercise:
    """A node in a ROS context of its own; a context manager.

    Attributes:
        watch: what the driver says.
    """

    def __init__(self, robot: RobotConfig, swing: float) -> None:
        """Command `swing` [channel unit] about the middle of every channel's range."""
        self._robot, self._swing = robot, swing
        self._count = itertools.count()
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("exercise", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self.watch = LoopWatch(self._node)
        self._commands = self._node.create_publisher(Command, "command", 1)
        self._node.create_timer(_PERIOD_S, self._send)

    def __enter__(self) -> "DriverExercise":
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def go_on(self, seconds: float) -> None:
        """Send commands for a while [s]."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)

    def _send(self) -> None:
        middle = (self._robot.lower + self._robot.upper) / 2
        values = middle + self._swing * math.sin(_PERIOD_S * next(self._count))
        names = self._robot.channel_names
        self._commands.publish(Command(channel_names=names, values=values.tolist()))
