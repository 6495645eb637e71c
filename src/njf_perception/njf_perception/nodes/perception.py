"""Node `perception`: encodes the newest image of one camera for the Jacobian field."""

import time

import numpy as np
import torch
from jaxtyping import UInt8
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from njf_msgs.msg import SceneEncoding
from njf_perception.camera import Camera
from njf_perception.checkpoint import load_checkpoint
from njf_perception.depth_view import depth_view
from njf_perception.errors import CheckpointError, DataError, NjfError
from njf_perception.latest import LatestWorker
from njf_perception.nodes.conversions import (
    camera_from_info,
    image_from_msg,
    image_to_msg,
    stamp_to_ns,
)
from njf_perception.nodes.diagnostics import DiagnosticsPublisher, Figures, Health
from njf_perception.nodes.encoding import encoding_to_msg
from njf_perception.nodes.lifecycle import GuardedLifecycleNode
from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare
from njf_perception.registration import Registration, Verdict
from njf_perception.scene import PixelNerf, PixelNerfScene
from njf_perception.virtual_camera import COMPARE_PERIOD_S, CameraWatch, encode_turned

_LARGEST_K_CHANGE = 0.02  # of the focal length; the model knows one calibration


class PerceptionNode(GuardedLifecycleNode):
    """Subscribes to one camera; publishes the scene encoding of every image it keeps up with.

    `perception/depth` and `perception/confidence` cost far more than the encoding, so they are
    made at a low rate, in a thread of their own, and only while somebody subscribes. In another
    thread, images are now and then compared with what the camera saw in training.
    """

    def __init__(self, overrides: list[Parameter] | None = None) -> None:
        super().__init__("perception", parameter_overrides=overrides)
        self._name: str = declare(
            self, "camera", "camera_0", "Name of the camera whose images are encoded"
        )
        declare(self, "checkpoint", "", "Path of the trained model")
        declare(self, "num_threads", 1, "CPU threads of the model", 1, 64)
        declare(self, "depth_rate_hz", 2.0, "Largest rate of depth and confidence [Hz]", 0.1, 30.0)
        declare(self, "depth_width", 80, "Width of depth and confidence images [px]", 8, 640)
        declare(self, "correction", False, "Look through a turned camera as if it were not turned")
        declare(
            self, "turn_period_s", COMPARE_PERIOD_S, "Between looks for a turn [s]", 0.1, 3600.0
        )
        self._problem = ""
        self._camera: Camera | None = None
        self._model: PixelNerf | None = None
        self._watch: CameraWatch | None = None
        self._known: Registration | None = None  # the last that told something
        self._workers: list[LatestWorker] = []
        self._encoded = Figures()
        self._age_s = float("nan")
        self._diagnostics = DiagnosticsPublisher(self, self._name, self._health)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the checkpoint and connect the topics; refuse a checkpoint that does not fit."""
        return self.attempt(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to encode."""
        self._next_depth_s = 0.0
        self._depth_worker = LatestWorker(self._publish_depth, self._report, "depth")
        self._image_worker = LatestWorker(self._encode, self._report, "encode")
        self._turn_worker = LatestWorker(self._compare, self._report, "turn")
        self._workers = [self._image_worker, self._depth_worker, self._turn_worker]
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop to encode; topics stay connected."""
        self._stop_workers()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Disconnect the topics and forget the model."""
        self._stop_workers()
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        for publisher in (self._encodings, self._depths, self._confidences):
            self.destroy_lifecycle_publisher(publisher)  # pyright: ignore[reportArgumentType]
        self._camera = None
        self._model = self._watch = None
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the threads."""
        self._stop_workers()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Stop the threads on every path out."""
        self._stop_workers()
        super().destroy_node()

    def _configure(self) -> None:
        try:
            self._load()
        except NjfError as error:
            self._problem = str(error)
            raise
        self._problem = ""
        self._connect()

    def _load(self) -> None:
        """Load the model and run it once, so that the first image is not late.

        Raises:
            CheckpointError: unreadable, or made for another camera.
        """
        checkpoint = load_checkpoint(self._value("checkpoint"))
        self._name = self._value("camera")
        if checkpoint.info.camera.name != self._name:
            raise CheckpointError(
                f"checkpoint is for camera '{checkpoint.info.camera.name}', this node reads "
                f"'{self._name}'. Set the parameter camera, or use the checkpoint of this camera."
            )
        torch.set_num_threads(self._value("num_threads"))
        self._info, self._content_id = checkpoint.info, checkpoint.content_id
        reference = checkpoint.reference_view()
        self._watch = CameraWatch(reference, self._value("turn_period_s")) if reference else None
        self._known = None
        model = self._model = checkpoint.scene_model()
        camera = checkpoint.info.camera.camera()
        model.encode(np.zeros((camera.height, camera.width, 3), np.uint8), camera)

    def _connect(self) -> None:
        command_qos = QoSProfile(depth=1)
        self._encodings = self.create_lifecycle_publisher(
            SceneEncoding, "perception/encoding", command_qos
        )
        self._depths = self.create_lifecycle_publisher(Image, "perception/depth", 1)
        self._confidences = self.create_lifecycle_publisher(Image, "perception/confidence", 1)
        self._inputs = [
            self.create_subscription(
                Image, f"{self._name}/image_raw", self._on_image, qos_profile_sensor_data
            ),
            self.create_subscription(
                CameraInfo, f"{self._name}/camera_info", self._on_info, qos_profile_sensor_data
            ),
        ]

    def _on_info(self, msg: CameraInfo) -> None:
        trained = self._info.camera.camera()
        try:
            camera = camera_from_info(msg, self._name, trained.T_world_camera)
            _require_same_camera(trained, camera)
        except NjfError as error:
            self._camera = None
            self._report(error)
            return
        self._camera = camera

    def _on_image(self, msg: Image) -> None:
        if self._workers:
            self._image_worker.submit(msg)

    def _encode(self, msg: Image) -> None:
        """Encode one image; runs in the image worker."""
        camera, model = self._camera, self._model
        if camera is None or model is None:  # _health tells what is wrong with the camera info
            return
        begin = time.perf_counter()
        image = image_from_msg(msg)
        if image.shape[:2] != (camera.height, camera.width):
            raise DataError(
                f"Image of {msg.width} x {msg.height} px, its camera_info says {camera.width} x "
                f"{camera.height}. Repair the camera node."
            )
        scene = self._understand(model, image, camera, stamp_to_ns(msg.header.stamp))
        self._encodings.publish(
            encoding_to_msg(scene.encoding, camera, self._content_id, msg.header)
        )
        self._encoded.add(time.perf_counter() - begin)
        self._age_s = (self.get_clock().now().nanoseconds - stamp_to_ns(msg.header.stamp)) * 1e-9
        self._problem = ""
        self._offer_depth(scene, msg.header)

    def _understand(
        self, model: PixelNerf, image: UInt8[np.ndarray, "h w 3"], camera: Camera, stamp_ns: int
    ) -> PixelNerfScene:
        """Encode an image, as if the camera were not turned where that is asked for."""
        watch = self._watch
        if watch is None:
            return model.encode(image, camera)
        if watch.due(stamp_ns):
            self._turn_worker.submit((watch, image, camera, stamp_ns))
        if not self._value("correction"):
            return model.encode(image, camera)
        return encode_turned(watch, model, image, camera)

    def _compare(self, item: tuple[CameraWatch, UInt8[np.ndarray, "h w 3"], Camera, int]) -> None:
        """Look whether the camera has turned; runs in the turn worker."""
        watch, image, camera, stamp_ns = item
        found, known = watch.compare(image, camera, stamp_ns), self._known
        if known is not None and found.verdict is Verdict.UNKNOWN:
            return
        self._known = found
        if known is not None and found.verdict is known.verdict:
            return
        if found.verdict is Verdict.TURNED:
            self.get_logger().warning(self._turned(found))
        elif found.verdict is Verdict.UNKNOWN:
            self.get_logger().warning(
                f"whether camera '{self._name}' has turned since training cannot be told: "
                "the scene around the robot is not the one it was trained in."
            )
        else:
            self.get_logger().info(f"camera '{self._name}' stands as it did in training")

    def _turned(self, found: Registration) -> str:
        angle_deg = np.rad2deg(found.angle_rad)
        done = "compensated" if self._value("correction") else "not compensated"
        return (
            f"camera '{self._name}' turned by {angle_deg:.1f} deg since training; {done}. "
            "Turn it back, or calibrate it, record and train again."
        )

    def _offer_depth(self, scene: PixelNerfScene, header: Header) -> None:
        wanted = self._depths.get_subscription_count() + self._confidences.get_subscription_count()
        if wanted and time.monotonic() >= self._next_depth_s:
            period_s = 1.0 / self._value("depth_rate_hz")
            self._next_depth_s = time.monotonic() + period_s
            self._depth_worker.submit((scene, header))

    def _publish_depth(self, item: tuple[PixelNerfScene, Header]) -> None:
        """Runs in the depth worker."""
        scene, header = item
        depth, confidence = depth_view(scene, self._value("depth_width"))
        self._depths.publish(image_to_msg(depth, header, "32FC1"))
        self._confidences.publish(image_to_msg(confidence, header, "32FC1"))

    def _report(self, error: Exception) -> None:
        """Show an error on the diagnostics, and in the log when it is a new one."""
        problem = str(error) if isinstance(error, NjfError) else repr(error)
        if problem != self._problem:
            self.get_logger().error(problem)
            self._problem = problem

    def _health(self) -> Health:
        rate_hz, encode_s = self._encoded.read()
        values: dict[str, float | int | str] = {
            "rate_hz": rate_hz,
            "encode_ms": encode_s * 1e3,
            "image_age_ms": self._age_s * 1e3,
            "encoded": self._encoded.total,
            "dropped": self._image_worker.dropped if self._workers else 0,
        }
        if problem := self.refusal or self._problem:
            return Health(problem, error=True, values=values)
        if not self._workers:
            return Health("not active", values=values)
        if rate_hz == 0:
            topic = "camera_info" if self._camera is None else "image_raw"
            return Health(f"nothing on '{self._name}/{topic}'", warning=True, values=values)
        found = self._watch.last if self._watch else None
        if found is not None:
            values["camera"] = found.verdict.name.lower()
            values["camera_turn_deg"] = np.rad2deg(found.angle_rad)
            values["camera_features"] = found.inliers
        if self._known is not None and self._known.verdict is Verdict.TURNED:
            return Health(self._turned(self._known), warning=True, values=values)
        return Health(values=values)

    def _stop_workers(self) -> None:
        for worker in self._workers:
            worker.stop()
        self._workers = []


def _require_same_camera(trained: Camera, found: Camera) -> None:
    """Refuse images of another shape or calibration than the model was trained on.

    Finer images are welcome: points are tracked in them, and the model sees them reduced.

    Raises:
        CheckpointError: names what differs.
    """
    if found.width * trained.height != trained.width * found.height or found.width < trained.width:
        raise CheckpointError(
            f"{found.name} sends {found.width} x {found.height} px, the checkpoint was trained on "
            f"{trained.width} x {trained.height}. Set the camera to that size or a multiple of it."
        )
    K = found.scaled(trained.width, trained.height).K
    change = np.abs(K - trained.K).max() / trained.K[0, 0]
    if change > _LARGEST_K_CHANGE:
        raise CheckpointError(
            f"{found.name}: intrinsics differ from the checkpoint's by {change:.1%} of the focal "
            f"length (K {found.K.tolist()}, trained {trained.K.tolist()}). Use the trained "
            "camera and lens, or train again."
        )


def main() -> int:
    """Run the node until it is told to end."""
    return run(PerceptionNode)


if __name__ == "__main__":
    raise SystemExit(main())
