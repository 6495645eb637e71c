"""Surface colours: a speckle fixed to each body, Lambert and Blinn-Phong light.

The speckle is a smooth random function of BODY coordinates, so it moves exactly as the body does:
what a tracker or a flow estimator sees on a link is the motion of the link. Its feature size is
chosen per geom (`user` data in the MJCF) to span several pixels, so it neither aliases nor blurs.
"""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

import mujoco
import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

# Direction towards the key light, world axes.
KEY_LIGHT = np.array([-0.35, -0.45, 0.82], np.float32)
KEY_LIGHT /= np.linalg.norm(KEY_LIGHT)
_AMBIENT, _HEMISPHERE, _KEY = 0.38, 0.17, 0.62
_SPECULAR_EXPONENT = 24.0

_HORIZON = np.array([0.62, 0.66, 0.72], np.float32)
_ZENITH = np.array([0.36, 0.41, 0.49], np.float32)
HAZE_M = 2.5  # surfaces fade into the sky at about this distance, unless the robot is larger

_VOLUME_SIZE = 96
_VOXELS_PER_FEATURE = 6.0
_BODY_OFFSET = np.array([31.7, 17.3, 41.9])  # voxels
_GRID_LINE_M = 0.0016
_GRID_CONTRAST = 0.10


def speckle_volume(seed: int = 7) -> Float32[np.ndarray, "s s s"]:
    """Periodic smooth noise in -1..1 whose bright and dark spots are 6 voxels wide.

    White noise filtered to a band around one wavelength, plus an octave above it at half strength
    for detail, squashed by tanh so that contrast is even.
    """
    frequency = np.fft.fftfreq(_VOLUME_SIZE)
    fx, fy, fz = np.meshgrid(frequency, frequency, frequency[: _VOLUME_SIZE // 2 + 1])
    radius = np.sqrt(fx**2 + fy**2 + fz**2)
    centre = 0.5 / _VOXELS_PER_FEATURE
    band = _band(radius, centre) + 0.3 * _band(radius, 2 * centre)
    white = np.random.default_rng(seed).standard_normal((_VOLUME_SIZE,) * 3)
    noise = np.fft.irfftn(np.fft.rfftn(white) * band, s=white.shape, axes=(0, 1, 2))
    return np.tanh(1.3 * noise / noise.std()).astype(np.float32)


def _band(radius: Float[np.ndarray, "..."], centre: float) -> Float[np.ndarray, "..."]:
    return np.exp(-0.5 * ((radius - centre) / (0.35 * centre)) ** 2)


def sky(directions: Float[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 3"]:
    """Colour 0..1 of the background in unit directions, world axes."""
    height = directions[:, 2:].clip(0.0, 1.0).astype(np.float32)
    return _HORIZON + height * (_ZENITH - _HORIZON)


def haze(
    colour: Float32[np.ndarray, "n 3"],
    distance: Float[np.ndarray, " n"],
    background: Float32[np.ndarray, "n 3"],
    haze_m: float = HAZE_M,
) -> Float32[np.ndarray, "n 3"]:
    """Colours of surfaces at a distance [m], fading into the sky behind them over `haze_m`."""
    clear = np.exp(-((distance / haze_m) ** 2)).astype(np.float32)[:, None]
    return clear * colour + (1.0 - clear) * background


def to_bytes(colour: Float32[np.ndarray, "*n 3"]) -> UInt8[np.ndarray, "*n 3"]:
    """Colours 0..1, clipped, as bytes."""
    return (colour.clip(0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


class Paint:
    """Colours of a model's geoms."""

    def __init__(self, model: mujoco.MjModel) -> None:
        # A geom without material has index -1, which stands for the row appended here.
        specular = np.append(model.mat_specular, 0.0)
        has_material = (model.geom_matid >= 0)[:, None]
        material_rgba = np.vstack([model.mat_rgba, np.zeros(4)])[model.geom_matid]
        colour = np.where(has_material, material_rgba, model.geom_rgba)
        self._colour = colour[:, :3].astype(np.float32)
        self._specular = specular[model.geom_matid].astype(np.float32)
        user = model.geom_user if model.nuser_geom >= 3 else np.zeros((model.ngeom, 3))
        self._contrast, self._feature_m, self._grid_m = user[:, :3].T.astype(np.float32)
        self._feature_m = np.where(self._feature_m > 0, self._feature_m, 1.0)
        # Each body looks up its own part of the noise, so no two links are alike.
        self._offset = (model.geom_bodyid[:, None] * _BODY_OFFSET).astype(np.float32)
        self._volume = speckle_volume().ravel()

    def shade(
        self,
        geom: Int[np.ndarray, " n"],
        local: Float[np.ndarray, "n 3"],
        normal: Float[np.ndarray, "n 3"],
        view: Float[np.ndarray, "n 3"],
        lit: Float32[np.ndarray, " n"] | float = 1.0,
    ) -> Float32[np.ndarray, "n 3"]:
        """Colours 0..1 of surface points.

        Args:
            geom: geom id per point.
            local: the points in body coordinates [m].
            normal: unit outward normals, world axes.
            view: unit directions from the camera to the points, world axes.
            lit: share of the key light that reaches the points.
        """
        local, normal, view = (a.astype(np.float32) for a in (local, normal, view))
        tone = 1.0 + self._contrast[geom] * self._noise(geom, local)
        if self._grid_m[geom].any():
            tone -= _GRID_CONTRAST * self._grid(geom, local)
        key = lit * np.maximum(normal @ KEY_LIGHT, 0.0)
        light = _AMBIENT + _HEMISPHERE * normal[:, 2] + _KEY * key
        half = KEY_LIGHT - view
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        facing = np.einsum("ni,ni->n", normal, half).clip(0.0, 1.0)
        gloss = lit * self._specular[geom] * facing**_SPECULAR_EXPONENT
        return self._colour[geom] * (tone * light)[:, None] + gloss[:, None]

    def _noise(
        self, geom: Int[np.ndarray, " n"], local: Float32[np.ndarray, "n 3"]
    ) -> Float32[np.ndarray, " n"]:
        """The speckle at points, -1..1, trilinear in the periodic volume."""
        scale = _VOXELS_PER_FEATURE / self._feature_m[geom]
        voxel = local * scale[:, None] + self._offset[geom]
        floor = np.floor(voxel)
        fx, fy, fz = (voxel - floor).T
        low = floor.astype(np.int32) % _VOLUME_SIZE
        high = (low + 1) % _VOLUME_SIZE
        rows = np.array([_VOLUME_SIZE**2, _VOLUME_SIZE, 1], np.int32)
        (x0, y0, z0), (x1, y1, z1) = (low * rows).T, (high * rows).T
        take = self._volume.take

        def along_z(xy: Int[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
            start = take(xy + z0)
            return start + fz * (take(xy + z1) - start)

        near = along_z(x0 + y0)
        near += fy * (along_z(x0 + y1) - near)
        far = along_z(x1 + y0)
        far += fy * (along_z(x1 + y1) - far)
        return near + fx * (far - near)

    def _grid(
        self, geom: Int[np.ndarray, " n"], local: Float32[np.ndarray, "n 3"]
    ) -> Float32[np.ndarray, " n"]:
        """1 on the lines of a cutting-mat grid in the body's xy plane, 0 between them."""
        pitch = self._grid_m[geom]
        safe = np.where(pitch > 0, pitch, 1.0)[:, None]
        distance = np.abs(local[:, :2] - safe * np.round(local[:, :2] / safe)).min(axis=1)
        return np.where(pitch > 0, np.exp(-((distance / _GRID_LINE_M) ** 2)), 0.0)
