"""What a model believes, as a picture: predicted beside true flow, and depth, in several views."""

from pathlib import Path

import cv2
import matplotlib.figure
import numpy as np
from jaxtyping import Float, UInt8

from njf_perception.camera import pixel_grid
from njf_training.dataset import Dataset
from njf_training.evaluate import Predictor, Truth

ZOOM = 2  # views are drawn at this fraction of the camera's size


def flow_colors(flow: Float[np.ndarray, "h w 2"], largest_px: float) -> UInt8[np.ndarray, "h w 3"]:
    """Flow as colour: direction is hue, length is strength, white does not move."""
    length = np.nan_to_num(np.linalg.norm(flow, axis=-1)) / max(largest_px, 1e-9)
    angle = np.nan_to_num(np.arctan2(flow[..., 1], flow[..., 0]))
    hue = (angle + np.pi) / (2 * np.pi) * 179
    hsv = np.stack([hue, 255 * length.clip(0, 1), np.full_like(length, 255)], axis=-1)
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)


def prediction_sheet(
    predictor: Predictor, dataset: Dataset, truth: Truth, row: int, cameras: list[str], path: Path
) -> None:
    """Draw one motion: a row per camera with image, true flow, predicted flow and depth."""
    before, after = (int(i) for i in dataset.pairs[row])
    commands = dataset.normalized_commands()
    context = dataset.camera_names.index(dataset.control_camera.name)
    scene = predictor.model.encode(
        np.asarray(dataset.images[before, context]), dataset.control_camera
    )
    figure = matplotlib.figure.Figure(figsize=(12, 2.5 * len(cameras)), layout="constrained")
    axes = figure.subplots(len(cameras), 4, squeeze=False)
    for line, name in zip(axes, cameras, strict=True):
        index = dataset.camera_names.index(name)
        full = dataset.cameras[index].camera
        camera = full.scaled(full.width // ZOOM, full.height // ZOOM)
        pixels = pixel_grid(camera.width, camera.height).reshape(-1, 2)
        command = commands[after] - commands[before]
        flow, depth, opacity = predictor.flow(scene, camera, pixels, command)
        view = truth.view(before, after, name)
        largest = float(np.nanmax(np.linalg.norm(view.flow, axis=-1)))
        shape = (camera.height, camera.width)
        seen = np.where(opacity > 0.5, depth, np.nan).reshape(shape)
        images = {
            f"{name} ({dataset.cameras[index].role})": dataset.images[before, index],
            f"true flow, up to {largest:.1f} px": flow_colors(view.flow, largest),
            "predicted from one image": flow_colors(ZOOM * flow.reshape(*shape, 2), largest),
            "rendered depth": seen,
        }
        for axis, (title, image) in zip(line, images.items(), strict=True):
            axis.imshow(image)
            axis.set_title(title, fontsize=9)
            axis.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
