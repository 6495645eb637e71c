"""A rig of cameras around a board that is held in many poses: known truth for calibration."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import Sighting
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.views import View
from njf_perception.camera import invert, transform
from njf_sim.camera_places import look_along

_ELEVATIONS_RAD = (0.6, 0.35, 0.9)
_LEAST_SLANT = 0.35  # cosine of the steepest angle at which a board is held to a camera
_TILT_RAD, _TURN_RAD = 0.9, 3.0


@dataclass(frozen=True)
class BoardRig:
    """Cameras on a ring that look at where the board is held.

    Attributes:
        board: geometry and rest pose.
        lenses: by camera.
        T_world_camera: by camera.
        T_world_board: by instant; at the first the board rests.
    """

    board: Board
    lenses: dict[str, Lens]
    T_world_camera: dict[str, Float[np.ndarray, "4 4"]]
    T_world_board: dict[str, Float[np.ndarray, "4 4"]]

    def seen(self) -> list[tuple[str, str, Float[np.ndarray, "4 4"]]]:
        """(camera, instant, T_camera_board) wherever the board is not held at too steep a slant."""
        pairs = []
        for camera, T_world_camera in self.T_world_camera.items():
            for instant, T_world_board in self.T_world_board.items():
                T = invert(T_world_camera) @ T_world_board
                towards = -T[:3, 3] / np.linalg.norm(T[:3, 3])
                if T[:3, 2] @ towards > _LEAST_SLANT:
                    pairs.append((camera, instant, T))
        return pairs

    def exact_views(
        self,
        rng: np.random.Generator,
        noise_px: float,
        corners_m: Float[np.ndarray, "t 4 3"] | None = None,
    ) -> list[View]:
        """Views without images: true corners plus noise, of the tags that are wholly in the image.

        Args:
            rng: of the noise.
            noise_px: standard deviation of u and of v [px].
            corners_m: where the corners really are on the board [m]; None: as in its file.
        """
        points = self.board.corners_m if corners_m is None else corners_m
        views = []
        for camera, instant, T in self.seen():
            lens = self.lenses[camera]
            pixels = lens.project(transform(T, points.reshape(-1, 3)))[0]
            whole = lens.inside(pixels).reshape(-1, 4).all(1)
            noisy = (pixels + noise_px * rng.standard_normal(pixels.shape)).reshape(-1, 4, 2)
            views.append(View(camera, instant, Sighting(self.board.ids[whole], noisy[whole])))
        return views

    def errors(
        self, found: dict[str, Float[np.ndarray, "4 4"]]
    ) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
        """Errors of found T_world_camera: distances [m] and angles [rad]."""
        names = sorted(self.T_world_camera)
        apart = [invert(self.T_world_camera[name]) @ found[name] for name in names]
        turns = Rotation.from_matrix([T[:3, :3] for T in apart]).magnitude()
        return np.array([np.linalg.norm(T[:3, 3]) for T in apart]), turns


def board_rig(
    cameras: int,
    instants: int,
    rng: np.random.Generator,
    board: Board | None = None,
    distance_m: float = 0.8,
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0),
) -> BoardRig:
    """Cameras of 640 x 480 px on a ring of `distance_m` around a board at random poses.

    Args:
        cameras: how many.
        instants: poses of the board, the first of them at rest.
        rng: of poses and lenses.
        board: default: the sheet of A4.
        distance_m: of the cameras from the middle [m].
        distortion: of every lens, in OpenCV's order.
    """
    sheet = Board() if board is None else board
    middle = np.array([0.0, 0.0, 0.1])
    lenses, places = {}, {}
    for index in range(cameras):
        azimuth = 2 * np.pi * index / cameras
        elevation = _ELEVATIONS_RAD[index % len(_ELEVATIONS_RAD)]
        flat = np.cos(elevation)
        towards = -np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = look_along(towards), middle - distance_m * towards
        focal_px, (u, v) = rng.uniform(580, 640), rng.uniform(-6, 6, 2)
        K = np.array([[focal_px, 0, 319.5 + u], [0, focal_px, 239.5 + v], [0, 0, 1]])
        name = f"camera_{index:02d}"
        places[name], lenses[name] = T, Lens(640, 480, K, np.array(distortion))
    held = {f"{index:03d}": _held(rng) for index in range(1, instants)}
    return BoardRig(sheet, lenses, places, {"000": sheet.rest_pose, **held})


def _held(rng: np.random.Generator) -> Float[np.ndarray, "4 4"]:
    T = np.eye(4)
    turn = rng.uniform(-1, 1, 3) * [_TILT_RAD, _TILT_RAD, _TURN_RAD]
    T[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    T[:3, 3] = rng.uniform([-0.15, -0.15, 0.0], [0.15, 0.15, 0.25])
    return T
