"""Which recorded values are the channels of a published robot.

A frame stores one vector of absolute values. Each channel is one of them or the sum of some; all
others were not commanded.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from njf_perception.errors import ConfigError, DataError


@dataclass(frozen=True)
class ActionRule:
    """From the stored vector to the channels.

    Attributes:
        robot: name of the robot in the dataset.
        prefix: of the channel names; the indices of the stored values follow.
        unit: of the channels. The values are taken as they are stored.
        raw: length of the stored vector; None for any.
        groups: per channel the stored values that are added; None: each value is a channel.
    """

    robot: str
    prefix: str
    unit: Literal["rad", "Pa"]
    raw: int | None = None
    groups: tuple[tuple[int, ...], ...] | None = None

    def channels(self, raw: int) -> tuple[tuple[int, ...], ...]:
        """The groups for stored vectors of length `raw`.

        Raises:
            DataError: this robot's vectors have another length.
        """
        if self.raw is not None and raw != self.raw:
            raise DataError(
                f"joint_pos has {raw} values, those of {self.robot} have {self.raw}. "
                "Name the robot that was recorded."
            )
        return self.groups or tuple((i,) for i in range(raw))

    def names(self, raw: int) -> list[str]:
        """Channel names for stored vectors of length `raw`."""
        return ["_".join([self.prefix, *(str(i) for i in group)]) for group in self.channels(raw)]

    def commands(self, stored: Float[np.ndarray, "t m"]) -> Float[np.ndarray, "t n"]:
        """Absolute set-points per state [unit of the channel]."""
        groups = self.channels(stored.shape[1])
        return np.stack([stored[:, list(group)].sum(1) for group in groups], axis=1)


def _single(*indices: int) -> tuple[tuple[int, ...], ...]:
    return tuple((i,) for i in indices)


RULES = {
    # Sixteen joints of which the two inner flexions of each finger moved.
    "allegro": ActionRule(
        "published_allegro", "joint", "rad", 16, _single(1, 2, 5, 6, 9, 10, 14, 15)
    ),
    "poppy": ActionRule("published_poppy", "joint", "rad", 6, _single(*range(6))),
    # Five fingers with two chambers each, and one more chamber.
    "pneumatic": ActionRule(
        "published_pneumatic",
        "chamber",
        "Pa",
        11,
        ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10,)),
    ),
    # The arm that carries the pneumatic hand; only its first two joints moved.
    "pneumatic_arm": ActionRule("published_pneumatic_arm", "joint", "rad", 6, _single(0, 1)),
    "hsa": ActionRule("published_hsa", "motor", "rad"),
}


def action_rule(robot: str) -> ActionRule:
    """The rule of a published robot.

    Raises:
        ConfigError: there is no such robot.
    """
    if robot not in RULES:
        raise ConfigError(f"unknown published robot '{robot}'; known: {', '.join(RULES)}.")
    return RULES[robot]
