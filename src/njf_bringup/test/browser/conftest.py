"""A camera that sees a textured plate turn, and the browser that looks at the page."""

import shutil
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from njf_control.visualization.field import FieldView
from njf_perception.camera import Camera

K = np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]])
NOISE = np.random.default_rng(0).standard_normal((240, 320, 3)).astype(np.float32)
TEXTURE = np.clip(128 + 200 * cv2.GaussianBlur(NOISE, (0, 0), 2.0), 0, 255).astype(np.uint8)
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",  # a container's root has none
    "--use-gl=angle",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
]


@pytest.fixture
def camera() -> Camera:
    """320 x 240 pixels."""
    return Camera("camera_0", 320, 240, K, np.eye(4))


@pytest.fixture
def plate(camera: Camera) -> FieldView:
    """Half a metre away, at pixels 80..240 x 80..160; channel 0 moves it 20 px to the right."""
    pixels = np.stack(np.meshgrid(np.arange(80, 241, 16), np.arange(80, 161, 16)), axis=-1)
    points = 0.5 * camera.rays(pixels.reshape(-1, 2).astype(np.float64))
    motion = np.zeros((len(points), 3, 2))
    motion[:, 0, 0] = 20 * 0.5 / 300
    return FieldView(points, motion, np.ones(len(points)))


@pytest.fixture
def picture() -> np.ndarray:
    """What can be tracked everywhere, but for a plain spot at pixels 150..190 x 100..140."""
    image = TEXTURE.copy()
    image[100:140, 150:190] = 90
    return image


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """A headless browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium to look at the page with: sudo apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()
