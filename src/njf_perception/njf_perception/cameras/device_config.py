"""What every camera that is a device is asked for."""

from collections.abc import Sequence

from pydantic import Field

from njf_perception.config import Config


class DeviceConfig(Config):
    """Mode and fixed controls of a camera; its own kind adds to them."""

    width: int = Field(default=640, gt=0, le=8192, description="image width [px]")
    height: int = Field(default=480, gt=0, le=8192, description="image height [px]")
    rate_hz: float = Field(default=30.0, gt=0, le=1000, description="images per second [Hz]")
    exposure: float | None = Field(
        default=None, ge=0, le=1e6, description="fixed exposure [device unit]; not set: automatic"
    )
    gain: float | None = Field(
        default=None, ge=0, le=1e6, description="fixed gain [device unit]; not set: automatic"
    )
    white_balance_k: float | None = Field(
        default=None, ge=0, le=1e6, description="fixed white balance [K]; not set: automatic"
    )
    warm_up: int = Field(default=5, ge=0, le=1000, description="first images to throw away")


def warn_of_automatic(device: str, settings: Sequence[str]) -> list[str]:
    """A warning that nobody fixed these `settings`, and the camera does; none without any."""
    if not settings:
        return []
    named = ", ".join(settings)
    return [
        f"{device} chooses by itself: {named}. So its images may change while the scene does not. "
        f"Set {named} in the node's parameters (docs/hardware/cameras.md says how)."
    ]
