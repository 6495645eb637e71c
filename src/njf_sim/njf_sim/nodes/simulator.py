"""Node `simulator`: the robot, its device and its cameras, as if they stood on the table.

The device is what the robot's driver talks to: a servo bus on a pseudo-terminal, which the driver
opens like a serial port, or a socket where `driver.kind` is simulated. It is found through the
symbolic link `port_link`, whose target is a path or an address, see `drivers/address.py`.

Cameras are rendered one after the other from one snapshot, so all images of a tick carry the same
stamp: the instant of that snapshot. An image that nobody subscribes to is not rendered. A camera
with depth sends depth images beside, on the topic that realsense-ros has for them. Both also come
compressed, as image_transport's plugins send them.
`ground_truth/*` is for evaluation only; its joint states are the whole configuration.
"""

import os
import time
from pathlib import Path

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PointStamped, Pose, PoseArray
from jaxtyping import Float
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import Header

from njf_control.robot import CameraConfig, load_robot
from njf_perception.camera import Camera
from njf_perception.errors import ConfigError
from njf_perception.frames import optical_frame, world_frame
from njf_perception.image_compression import Compression
from njf_perception.nodes.conversions import camera_info_msg, pose_to_transform
from njf_perception.nodes.diagnostics import DiagnosticsPublisher, Figures, Health
from njf_perception.nodes.image_publisher import (
    DepthPublisher,
    ImagePublisher,
    declare_compression,
)
from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare, declare_tf_prefix
from njf_sim.fakes.make import Device, channel_ids, make_device
from njf_sim.plant import SimulatedPlant, Snapshot
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel
from njf_sim.sensor_noise import SensorNoise, depth_image_mm
from tf2_ros import StaticTransformBroadcaster

_SLOW_SHARE = 0.9  # below this share of camera_rate_hz the node warns


class _SimulatedCamera:
    """The topics of one camera."""

    def __init__(
        self,
        node: Node,
        config: CameraConfig,
        camera: Camera,
        noise: SensorNoise,
        how: Compression,
        tf_prefix: str,
    ) -> None:
        self.camera = camera
        self.frame_id = optical_frame(camera.name, tf_prefix)
        self._noise = noise
        self._images = ImagePublisher(node, camera.name, how)
        self._infos = node.create_publisher(CameraInfo, f"{camera.name}/camera_info", 5)
        self._depths = DepthPublisher(node, config.depth_stream, how) if config.depth else None

    @property
    def is_watched(self) -> bool:
        """Whether anybody subscribes."""
        return self._is_filmed or self._infos.get_subscription_count() > 0

    @property
    def _is_filmed(self) -> bool:
        return self._images.is_watched or (self._depths is not None and self._depths.is_watched)

    def publish(self, renderer: Renderer, stamp: Time) -> None:
        """Render and publish one image with its camera info, and its depth if it has some."""
        header = Header(stamp=stamp, frame_id=self.frame_id)
        self._infos.publish(camera_info_msg(self.camera, header))
        if not self._is_filmed:
            return
        frame = renderer.render(self.camera.name)
        self._images.publish(self._noise(frame.rgb), header)
        if self._depths is not None:
            self._depths.publish(depth_image_mm(frame.depth), header)


class SimulatorNode(Node):
    """Plant, device and cameras in one process."""

    def __init__(self, parameter_overrides: list[Parameter] | None = None) -> None:
        super().__init__("simulator", parameter_overrides=parameter_overrides)
        self._robot = load_robot(
            declare(self, "robot_file", "", "Path of config/robots/<robot>.yaml", read_only=True)
        )
        model = RobotModel.from_robot(self._robot)
        model.settle(self._initial_setpoint())
        self._renderer = Renderer(model)
        self._cameras = self._make_cameras(model)
        self._joints_pub = self.create_publisher(JointState, "ground_truth/joint_states", 10)
        self._tip_pub = self.create_publisher(PointStamped, "ground_truth/tip", 10)
        self._tips_pub = self.create_publisher(PoseArray, "ground_truth/tips", 10)
        self._configuration_names = model.configuration_names
        self._diagnostics = DiagnosticsPublisher(self, "simulation", self._health)
        self._rate_hz: float = declare(
            self, "camera_rate_hz", 15.0, "Images per second and camera [Hz]", 0.5, 120.0, True
        )
        ids = channel_ids(self._robot)
        self._plant = SimulatedPlant(model, ids, self._robot.channel_units)
        self._device = self._make_device()
        self._plant.start()
        self._device.start()
        self._ticks = Figures()
        self.create_timer(1.0 / self._rate_hz, self._tick)
        self._link: Path | None = None
        # Last: whoever waits for the link may start to talk as soon as it is there.
        try:
            self._link = self._make_link()
        except ConfigError:
            self.destroy_node()
            raise

    def destroy_node(self) -> None:
        """Unplug the device and stop time."""
        self._remove_link()
        self._device.close()
        self._plant.close()
        super().destroy_node()

    def _initial_setpoint(self) -> Float[np.ndarray, " n"]:
        inside = (self._robot.lower <= 0.0) & (self._robot.upper >= 0.0)
        middle = (self._robot.lower + self._robot.upper) / 2
        setpoint = declare(
            self,
            "initial_setpoint",
            np.where(inside, 0.0, middle).tolist(),
            "Where the robot rests at the start, a single value is for all channels; default: 0, "
            "or the middle of a range without it [channel unit]",
            read_only=True,
        )
        count = len(self._robot.channels)
        if len(setpoint) not in (1, count):
            raise ConfigError(
                f"initial_setpoint has {len(setpoint)} values, but robot '{self._robot.name}' "
                f"has {count} channels. Give {count} values or one for all."
            )
        return np.broadcast_to(np.array(setpoint, float), count).copy()

    def _make_cameras(self, model: RobotModel) -> list[_SimulatedCamera]:
        """Topics, first images and poses of the chosen cameras."""
        names = declare(
            self, "cameras", [""], "Cameras to run; an empty name means all", read_only=True
        )
        names = [name for name in names if name] or list(model.cameras)
        unknown = sorted(set(names) - set(model.cameras))
        if unknown:
            raise ConfigError(
                f"parameter cameras names {unknown}, but robot '{self._robot.name}' has "
                f"{list(model.cameras)}. Use some of those."
            )
        seed = declare(self, "seed", 0, "Seed of the cameras' noise", 0, 2**31 - 1, True)
        levels = declare(
            self,
            "noise_levels",
            0.0,
            "Standard deviation of the cameras' noise [grey levels of 255]",
            0.0,
            50.0,
            True,
        )
        configs = {config.name: config for config in self._robot.cameras}
        how, prefix = declare_compression(self), declare_tf_prefix(self)
        self._world = world_frame(prefix)
        cameras = []
        for index, name in enumerate(names):
            camera = model.cameras[name]
            noise = SensorNoise(camera.height, camera.width, levels, seed + index)
            cameras.append(_SimulatedCamera(self, configs[name], camera, noise, how, prefix))
            self._renderer.prepare(name)
        self._broadcaster = StaticTransformBroadcaster(self)
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._world)
        self._broadcaster.sendTransform(
            [pose_to_transform(c.camera.T_world_camera, header, c.frame_id) for c in cameras]
        )
        return cameras

    def _make_device(self) -> Device:
        simulation = self._robot.simulation
        backlash_rad = declare(
            self,
            "backlash_rad",
            simulation.backlash_rad,
            "Play of each servo; default: the robot file's [rad]",
            0.0,
            0.1,
            True,
        )
        delay_s = declare(
            self,
            "delay_s",
            simulation.delay_s,
            "Delay from goal position to motion; default: the robot file's [s]",
            0.0,
            0.2,
            True,
        )
        return make_device(self._robot, self._plant, backlash_rad, delay_s)

    def _make_link(self) -> Path | None:
        """Publish the path of the device as the symbolic link `port_link`."""
        target = declare(
            self,
            "port_link",
            "",
            "Symbolic link to make to the device; empty: none, the log says the port",
            read_only=True,
        )
        self.get_logger().info(f"device at {self._device.port}")
        if not target:
            return None
        link = Path(target).absolute()
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            fresh = link.with_name(f".{link.name}.{os.getpid()}")
            fresh.symlink_to(self._device.port)
            fresh.replace(link)
        except OSError as error:
            raise ConfigError(
                f"port_link is {link}, but no link can be made there: {error}. "
                "Choose a place this user may write to."
            ) from None
        return link

    def _remove_link(self) -> None:
        """Remove the link unless another simulator has taken it over."""
        link = self._link
        if link is not None and link.is_symlink() and os.readlink(link) == self._device.port:
            link.unlink()

    def _tick(self) -> None:
        """Publish everything about one instant."""
        begin_s = time.perf_counter()
        snapshot = self._plant.snapshot()
        stamp = self.get_clock().now().to_msg()
        self._publish_truth(snapshot, stamp)
        self._renderer.pose(snapshot.configuration)
        for camera in self._cameras:
            if camera.is_watched:
                camera.publish(self._renderer, stamp)
        self._ticks.add(time.perf_counter() - begin_s)

    def _publish_truth(self, snapshot: Snapshot, stamp: Time) -> None:
        header = Header(stamp=stamp, frame_id=self._world)
        configuration = snapshot.configuration.tolist()
        self._joints_pub.publish(
            JointState(header=header, name=self._configuration_names, position=configuration)
        )
        points = [Point(x=x, y=y, z=z) for x, y, z in snapshot.tips.tolist()]
        self._tip_pub.publish(PointStamped(header=header, point=points[0]))
        self._tips_pub.publish(
            PoseArray(header=header, poses=[Pose(position=point) for point in points])
        )

    def _health(self) -> Health:
        rate_hz, tick_s = self._ticks.read()
        watched = sum(camera.is_watched for camera in self._cameras)
        slow = rate_hz < _SLOW_SHARE * self._rate_hz
        message = (
            f"{rate_hz:.1f} images per second instead of {self._rate_hz:g}: one set takes "
            f"{1000 * tick_s:.0f} ms. Lower camera_rate_hz or use fewer cameras."
        )
        return Health(
            message if slow else "ok",
            warning=slow,
            values={
                "rate_hz": rate_hz,
                "render_ms": 1000.0 * tick_s,
                "cameras_watched": watched,
                "time_lost_s": self._plant.lost_s,
            },
        )


def main() -> int:
    """Run the node; the robot is there until its driver has made it safe and left."""
    return run(SimulatorNode, outlives="safety_state")


if __name__ == "__main__":
    raise SystemExit(main())
