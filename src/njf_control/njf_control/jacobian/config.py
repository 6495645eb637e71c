"""Which Jacobian head, and how large."""

from typing import Literal

from pydantic import Field

from njf_perception.config import Config
from njf_perception.field import FieldConfig


class JacobianConfig(Config):
    """Size and kind of the Jacobian field. See docs/model.md for what the heads are."""

    head: Literal["twist", "free", "attention", "image", "direct"] = Field(
        default="twist", description="how motion is represented; all but twist are for comparison"
    )
    field: FieldConfig = FieldConfig(hidden=64, layers=3, frequencies=4)
    twist_hidden: int = Field(
        default=128, ge=8, description="units of the layers that decode the twists"
    )
    twists_per_channel: int = Field(
        default=1, ge=1, le=8, description="twists that add up to one channel's motion"
    )
    setpoint_octaves: int = Field(
        default=2,
        ge=0,
        le=6,
        description="octaves in which the set-points read off the image are given to the head",
    )
    uncertainty: FieldConfig = FieldConfig(hidden=32, layers=2, frequencies=0)
