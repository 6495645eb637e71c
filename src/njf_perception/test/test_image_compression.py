"""Compressed images read back, and look as image_transport's plugins write them."""

import struct
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from njf_perception.errors import DataError
from njf_perception.image_compression import Compression, compress_depth, compress_image
from njf_perception.message_image import decode_compressed, decode_compressed_depth


@pytest.fixture
def image() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (64, 48), interpolation=cv2.INTER_CUBIC))


@pytest.fixture
def depth_mm() -> np.ndarray:
    depth = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) + 300
    depth[:4] = 0
    return depth


def message(format: str, data: np.ndarray | bytes) -> SimpleNamespace:
    return SimpleNamespace(format=format, data=np.frombuffer(bytes(data), np.uint8))


def test_png_keeps_every_pixel(image: np.ndarray) -> None:
    small = compress_image(image, Compression("png"))
    assert small.format == "rgb8; png compressed bgr8"
    assert np.array_equal(decode_compressed(message(small.format, small.data), "/t"), image)


def test_jpeg_is_smaller_with_less_quality_and_keeps_the_colours_apart(image: np.ndarray) -> None:
    sizes = []
    for quality in (95, 50):
        small = compress_image(image, Compression("jpeg", jpeg_quality=quality))
        assert small.format == "rgb8; jpeg compressed bgr8"
        found = decode_compressed(message(small.format, small.data), "/t")
        error = np.abs(found.astype(int) - image).mean()
        swapped = np.abs(found[..., ::-1].astype(int) - image).mean()
        assert error < 15 < swapped
        sizes.append(len(small.data))
    assert sizes[1] < 0.7 * sizes[0]


def test_depth_keeps_every_millimetre_behind_a_header_of_twelve_bytes(depth_mm: np.ndarray) -> None:
    small = compress_depth(depth_mm, Compression(png_level=9))
    assert small.format == "16UC1; compressedDepth png"
    assert bytes(small.data[:16]) == struct.pack("<iff", 0, 0, 0) + b"\x89PNG"
    found = decode_compressed_depth(message(small.format, small.data), "/d")
    assert np.array_equal(found, depth_mm)


def test_inverse_depth_of_image_transport_is_turned_round() -> None:
    """As compressed_depth_image_transport quantises 32FC1 with its default parameters."""
    metres = np.array([[0.5, 1.0, 2.5, np.nan]], np.float32)
    quantisation, farthest = 100.0, 10.0
    a = quantisation * (quantisation + 1)
    b = 1 - a / farthest
    known = np.isfinite(metres)
    levels = np.where(known, a / np.where(known, metres, 1) + b, 0).astype(np.uint16)
    data = struct.pack("<iff", 0, a, b) + cv2.imencode(".png", levels)[1].tobytes()
    found = decode_compressed_depth(message("32FC1; compressedDepth png", data), "/d")
    assert found[0, 3] == 0
    assert np.allclose(found[0, :3], [500, 1000, 2500], atol=2)


@pytest.mark.parametrize(
    ("format", "data", "told"),
    [
        ("16UC1; compressedDepth rvl", bytes(40), "no PNG of 16 bits.*to png"),
        ("16UC1; compressedDepth png", bytes(40), "no PNG of 16 bits"),
        ("16UC1; compressedDepth png", b"", "0 bytes of format"),
        ("8UC1; compressedDepth png", bytes(40), "'8UC1'; expected 16UC1"),
    ],
)
def test_unreadable_depth_is_named(format: str, data: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told):
        decode_compressed_depth(message(format, data), "/d")
