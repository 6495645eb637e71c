"""What may be different from the robot that a model was trained on, seeded per trial.

All but the weight holds for the whole trial, the demonstration of the goal included: the goal can
be reached, but what the model says is off. The weight is hung on once the goal was shown without
it: sending the goal's set-points again would miss it, and it may not be in reach at all.
"""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

from dataclasses import replace
from enum import StrEnum
from typing import Protocol, runtime_checkable

import cv2
import mujoco
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from njf_control.robot import RobotConfig
from njf_perception.camera import Camera
from njf_perception.errors import ConfigError
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel

PAYLOAD = "payload"  # body that a weight is made of
WEIGHT_KG, NO_WEIGHT_KG = 0.2, 1e-4
CAMERA_SHIFT_M = 0.02
CAMERA_TURN_RAD = np.deg2rad(5.0)
OCCLUDED_SHARE = 0.25  # of the robot's pixels in the middle of its range
OFFSET_SHARE = 0.07  # of half the range: 5 deg for a joint of +-1.2 rad
_GAINS = (0.6, 1.4)
_TINT = 0.15
# An inexpensive webcam indoors: compression leaves 2.3 grey levels in the middle of the range.
READ_LEVELS = 2.0  # standard deviation of the electronics' noise [grey levels]
SHOT_VARIANCE = 0.05  # of the light's own noise, per grey level [grey levels^2 / grey level]
LENS_PX = 0.5  # standard deviation of the blur
JPEG_QUALITY = 95  # such a camera sends motion JPEG


class Disturbance(StrEnum):
    """Kinds of disturbances."""

    NONE = "none"
    WEIGHT = "weight"
    CAMERA = "camera"
    BACKGROUND = "background"
    OCCLUDER = "occluder"
    LIGHT = "light"
    NOISE = "noise"
    OFFSET = "offset"


@runtime_checkable
class Scenario(Protocol):
    """How one trial differs from the undisturbed robot."""

    def appear(self, model: RobotModel, renderer: Renderer) -> bool:
        """Come into effect after the goal was shown; whether anything happened."""
        ...

    def vanish(self, model: RobotModel, renderer: Renderer) -> None:
        """Undo `appear`."""
        ...

    def disturbed(self, setpoint: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """What the robot does when it is told `setpoint` [channel unit]."""
        ...

    def seen(
        self, rgb: UInt8[np.ndarray, "h w 3"], robot: Bool[np.ndarray, "h w"]
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """The image of the disturbed camera, and where it still shows the robot."""
        ...


class Nothing:
    """No disturbance."""

    def __init__(self, channels: int) -> None:
        self.offset = np.zeros(channels)

    def appear(self, model: RobotModel, renderer: Renderer) -> bool:
        """See `Scenario`."""
        return False

    def vanish(self, model: RobotModel, renderer: Renderer) -> None:
        """See `Scenario`."""

    def disturbed(self, setpoint: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """See `Scenario`."""
        return setpoint + self.offset

    def seen(
        self, rgb: UInt8[np.ndarray, "h w 3"], robot: Bool[np.ndarray, "h w"]
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """See `Scenario`."""
        return rgb, robot


class Weight(Nothing):
    """A weight that nobody has seen hangs from the robot."""

    def appear(self, model: RobotModel, renderer: Renderer) -> bool:
        """See `Scenario`."""
        hang_weight(model, WEIGHT_KG)
        renderer.show_body(PAYLOAD, True)
        return True

    def vanish(self, model: RobotModel, renderer: Renderer) -> None:
        """See `Scenario`."""
        hang_weight(model, NO_WEIGHT_KG)
        renderer.show_body(PAYLOAD, False)


class Offset(Nothing):
    """A bent finger: one channel's joint stands beside where it is told to stand."""

    def __init__(self, robot: RobotConfig, rng: np.random.Generator) -> None:
        super().__init__(len(robot.channels))
        channel = rng.integers(len(robot.channels))
        size = OFFSET_SHARE * (robot.upper - robot.lower)[channel] / 2
        self.offset[channel] = size * rng.choice([-1.0, 1.0])


class Background(Nothing):
    """Everything behind the robot is another picture."""

    def __init__(self, channels: int, shape: tuple[int, int], rng: np.random.Generator) -> None:
        super().__init__(channels)
        self._picture = _bytes(picture(*shape, rng))

    def seen(
        self, rgb: UInt8[np.ndarray, "h w 3"], robot: Bool[np.ndarray, "h w"]
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """See `Scenario`."""
        return np.where(robot[..., None], rgb, self._picture), robot


class Occluder(Nothing):
    """A textured board stands before the robot."""

    def __init__(
        self, channels: int, robot: Bool[np.ndarray, "h w"], rng: np.random.Generator
    ) -> None:
        """`robot` is where the robot is in the middle of its range."""
        super().__init__(channels)
        self._board = _board(robot, rng)
        self._picture = _bytes(picture(robot.shape[0], robot.shape[1], rng))

    def seen(
        self, rgb: UInt8[np.ndarray, "h w 3"], robot: Bool[np.ndarray, "h w"]
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """See `Scenario`."""
        return np.where(self._board[..., None], self._picture, rgb), robot & ~self._board


class Light(Nothing):
    """Another brightness and another colour of the light."""

    def __init__(self, channels: int, rng: np.random.Generator) -> None:
        super().__init__(channels)
        self._gain = rng.uniform(*_GAINS) * (1.0 + rng.uniform(-_TINT, _TINT, 3))

    def seen(
        self, rgb: UInt8[np.ndarray, "h w 3"], robot: Bool[np.ndarray, "h w"]
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """See `Scenario`."""
        return (rgb * self._gain + 0.5).clip(0, 255).astype(np.uint8), robot


class Noise(Nothing):
    """A real camera instead of a perfect one: blur, shot and read noise, and compression.

    Every image gets noise of its own, the same in every run.
    """

    def __init__(self, channels: int, rng: np.random.Generator) -> None:
        super().__init__(channels)
        self._rng = rng

    def seen(
        self, rgb: UInt8[np.ndarray, "h w 3"], robot: Bool[np.ndarray, "h w"]
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """See `Scenario`."""
        light = cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), LENS_PX)
        deviation = np.sqrt(READ_LEVELS**2 + SHOT_VARIANCE * light)
        noise = deviation * self._rng.standard_normal(rgb.shape, dtype=np.float32)
        image = np.rint(light + noise).clip(0, 255).astype(np.uint8)
        _, sent = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        received = np.asarray(cv2.imdecode(sent, cv2.IMREAD_COLOR), np.uint8)
        return np.ascontiguousarray(received[..., ::-1]), robot


def scenario(
    kind: Disturbance,
    robot: RobotConfig,
    mean_view: Bool[np.ndarray, "h w"],
    rng: np.random.Generator,
) -> Scenario:
    """The scenario of one trial; `mean_view` is where the robot is in the middle of its range."""
    channels = len(robot.channels)
    match kind:
        case Disturbance.OFFSET:
            return Offset(robot, rng)
        case Disturbance.WEIGHT:
            return Weight(channels)
        case Disturbance.BACKGROUND:
            return Background(channels, mean_view.shape, rng)
        case Disturbance.OCCLUDER:
            return Occluder(channels, mean_view, rng)
        case Disturbance.LIGHT:
            return Light(channels, rng)
        case Disturbance.NOISE:
            return Noise(channels, rng)
        case _:
            return Nothing(channels)


def disturb_model(kind: Disturbance, model: RobotModel, camera: str, seed: int) -> None:
    """Change the simulated robot itself, before anything renders it: its camera.

    Raises:
        ConfigError: a weight is wanted, and the robot has no place for one.
    """
    if kind is Disturbance.WEIGHT:
        payload_of(model)
    if kind is Disturbance.CAMERA:
        rng = np.random.default_rng([seed, 1])
        model.cameras[camera] = moved_camera(model.cameras[camera], rng)


def payload_of(model: RobotModel) -> int:
    """Id of the body `payload`.

    Raises:
        ConfigError: the robot has no such body.
    """
    body = mujoco.mj_name2id(model.model, mujoco.mjtObj.mjOBJ_BODY, PAYLOAD)
    if body < 0:
        raise ConfigError(
            f"this robot has no body '{PAYLOAD}' that could hang from it. Use --disturbance weight "
            "with a robot that has one, such as hsa."
        )
    return body


def hang_weight(model: RobotModel, mass_kg: float) -> None:
    """Give the body `payload` a mass [kg]; the robot sags as time runs."""
    body = payload_of(model)
    scale = mass_kg / model.model.body_mass[body]
    model.model.body_mass[body] *= scale
    model.model.body_inertia[body] *= scale
    mujoco.mj_setConst(model.model, mujoco.MjData(model.model))


def moved_camera(camera: Camera, rng: np.random.Generator) -> Camera:
    """The camera, pushed by `CAMERA_SHIFT_M` or turned by `CAMERA_TURN_RAD` in a random way."""
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    motion = np.eye(4)
    if rng.random() < 0.5:
        motion[:3, 3] = CAMERA_SHIFT_M * direction
    else:
        motion[:3, :3] = cv2.Rodrigues(CAMERA_TURN_RAD * direction)[0]
    return replace(camera, T_world_camera=camera.T_world_camera @ motion)


def picture(height: int, width: int, rng: np.random.Generator) -> Float32[np.ndarray, "h w 3"]:
    """A random picture in 0..1: a gradient, stripes of two colours and smooth noise."""
    v, u = np.mgrid[0:height, 0:width].astype(np.float32) / height
    angle = rng.uniform(0, 2 * np.pi, 2)
    along, across = (np.cos(a) * u + np.sin(a) * v for a in angle)
    colours = rng.uniform(0.0, 1.0, (3, 3)).astype(np.float32)
    mix = (along - along.min()) / np.ptp(along)
    image = colours[0] + mix[..., None] * (colours[1] - colours[0])
    stripes = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(3, 15) * across)
    image += rng.uniform(0.2, 0.6) * stripes[..., None] * (colours[2] - image)
    noise = rng.normal(size=(height, width, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(1.5, 8.0)))
    return (image + 0.15 * noise / noise.std()).clip(0, 1).astype(np.float32)


def _board(robot: Bool[np.ndarray, "h w"], rng: np.random.Generator) -> Bool[np.ndarray, "h w"]:
    """An upright board, as tall as the image, over `OCCLUDED_SHARE` of the robot's pixels.

    It covers a random range of the robot's columns (or of its rows, then it is as wide as the
    image is).
    """
    axis = int(rng.integers(2))
    share = np.cumsum(robot.sum(axis=axis)) / max(int(robot.sum()), 1)
    begin = rng.uniform(0.0, 1.0 - OCCLUDED_SHARE)
    covered = (share >= begin) & (share <= begin + OCCLUDED_SHARE)
    return np.broadcast_to(covered if axis == 0 else covered[:, None], robot.shape).copy()


def _bytes(image: Float32[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return (255 * image + 0.5).astype(np.uint8)
