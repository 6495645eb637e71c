"""The robot's surface as the page's 3D scene shows it, and what a command would do to it."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from njf_control.visualization.field import FieldView, spread_out
from njf_perception.camera import Camera, project

_FINER = 4  # shown points per field point, in each direction of the image
_MOST_POINTS = 2500
_STAND_BACK = 2.3  # in radii of the surface
_EDGES = ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1))


def spacing_px(pixels: Float[np.ndarray, "n 2"]) -> float:
    """Distance of neighbours in a grid of pixels of which some are missing; 0 of less than two."""
    if len(pixels) < 2:
        return 0.0
    distances = np.linalg.norm(pixels[:, None] - pixels[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return float(np.median(distances.min(axis=1)))


def filled(field: FieldView, camera: Camera) -> FieldView:
    """The field with points between its points, four times as dense in the image.

    Depth, motion and confidence are means of those of the points around, weighted by the inverse
    fourth power of the distance in the image.
    """
    seen = project(field.points_m, camera.K)
    step = spacing_px(seen)
    if step == 0.0:
        return field
    pixels = _grid(seen, step)
    pixels = pixels[spread_out(len(pixels), _MOST_POINTS)]
    distance = np.linalg.norm(pixels[:, None] - seen[None], axis=2) / step
    weights = 1.0 / (distance**2 + 0.05) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    rays = camera.rays(pixels)
    points = rays * (weights @ field.points_m[:, 2])[:, None]
    motion = np.tensordot(weights, field.motion_m, axes=1)
    return FieldView(points, motion, weights @ field.confidence)


def _grid(seen: Float[np.ndarray, "n 2"], step: float) -> Float[np.ndarray, "m 2"]:
    """Every point and those around it, each once."""
    fine = step / _FINER
    shifts = (np.arange(_FINER) - (_FINER - 1) / 2) * fine
    around = np.stack(np.meshgrid(shifts, shifts), axis=-1).reshape(-1, 2)
    return (seen[:, None] + around[None]).reshape(-1, 2)


def photo_colors(
    points_m: Float[np.ndarray, "n 3"], camera: Camera, image: UInt8[np.ndarray, "h w 3"]
) -> Float[np.ndarray, "n 3"]:
    """The points' colours in the picture, RGB 0..1; grey outside of it."""
    columns, rows = project(points_m, camera.K).astype(np.float32).T
    maps = (columns.reshape(-1, 1), rows.reshape(-1, 1))
    colors = cv2.remap(image, *maps, cv2.INTER_LINEAR, borderValue=(128, 128, 128))
    return colors.reshape(-1, 3).astype(np.float64) / 255


def to_world(
    points: Float[np.ndarray, "n 3"], T_world_camera: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "n 3"]:
    """Points of the camera's frame in the world's [m]."""
    return points @ T_world_camera[:3, :3].T + T_world_camera[:3, 3]


def upright() -> Float[np.ndarray, "4 4"]:
    """Pose of a camera of which nothing is known: level, 0.5 m high, looking along y."""
    T = np.eye(4)
    T[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    T[2, 3] = 0.5
    return T


def frustum(
    T_world_camera: Float[np.ndarray, "4 4"], K: Float[np.ndarray, "3 3"], size_m: float
) -> Float[np.ndarray, "8 2 3"]:
    """A camera as lines: begins and ends of its pyramid's edges, in the world [m]."""
    width, height = 2 * K[:2, 2] + 1
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - K[:2, 2]
    rays = np.concatenate([corners / K[[0, 1], [0, 1]], np.ones((4, 1))], axis=1)
    ends = to_world(np.concatenate([np.zeros((1, 3)), size_m * rays]), T_world_camera)
    return ends[np.array(_EDGES)]


def viewpoint(
    points: Float[np.ndarray, "n 3"], T_world_camera: Float[np.ndarray, "4 4"]
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Where to stand at first, and what to look at: from the camera's side, but slantwise [m]."""
    center = points.mean(axis=0)
    back = T_world_camera[:3, 3] - center
    slant = back / np.linalg.norm(back) + 0.25 * T_world_camera[:3, 1] + 0.3 * T_world_camera[:3, 0]
    radius = float(np.linalg.norm(points - center, axis=1).max())
    return center + _STAND_BACK * radius * slant / np.linalg.norm(slant), center


def grain(surface: FieldView, camera: Camera) -> float:
    """Size of a point with which the shown surface has no holes [m]."""
    step = spacing_px(project(surface.points_m[:: len(surface.points_m) // 400 + 1], camera.K))
    return float(np.median(surface.points_m[:, 2])) * step / float(camera.K[0, 0])
