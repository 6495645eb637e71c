"""What the page shows at one moment, and what it can ask for: the node writes, pages read."""

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Float, UInt8

from njf_bringup.browser.drags import Drag
from njf_control.visualization.field import FieldView
from njf_control.visualization.overlay import Aim
from njf_perception.camera import Camera

Level = Literal["ok", "warning", "error", "stale"]
_LONGEST_GAP_S = 1.0  # of a goal's images; after a longer one it is another goal
_MOST_STEPS = 2000


@dataclass(frozen=True)
class Frame:
    """A camera image.

    Attributes:
        number: counts the images.
        image: RGB.
        received_s: monotonic time of receipt [s].
    """

    number: int
    image: UInt8[np.ndarray, "h w 3"]
    received_s: float

    @property
    def age_s(self) -> float:
        """Time since it came [s]."""
        return time.monotonic() - self.received_s


@dataclass(frozen=True)
class NodeHealth:
    """What a node last said of itself on /diagnostics."""

    name: str
    level: Level
    message: str
    values: Mapping[str, str]
    received_s: float


@dataclass(frozen=True)
class Pursuit:
    """How it stands with the goal that was sent from the page.

    Attributes:
        phase: idle, running, reached, ended (without being reached).
        text: the same in words.
    """

    phase: Literal["idle", "running", "reached", "ended"] = "idle"
    text: str = "No goal. Press on the robot and drag to where it should go."


@dataclass(frozen=True)
class Safety:
    """State of the safety gate: its name, INACTIVE to FAULT, and why."""

    state: str = "UNKNOWN"
    reason: str = "no driver has been heard"


@dataclass(frozen=True)
class View:
    """Everything that is shown; what is not known is None or empty.

    Attributes:
        surface: the field, denser.
        photo: colours of the surface in the picture, RGB 0..1.
        T_world_camera: pose of the control camera.
        cameras: poses in the world by camera.
        errors: (time since the goal began [s], mean distance of points from targets [px]).
    """

    frame: Frame | None = None
    camera: Camera | None = None
    field: FieldView | None = None
    surface: FieldView | None = None
    photo: Float[np.ndarray, "n 3"] | None = None
    T_world_camera: Float[np.ndarray, "4 4"] | None = None
    cameras: Mapping[str, Float[np.ndarray, "4 4"]] = dataclasses.field(default_factory=dict)
    aim: Aim | None = None
    errors: tuple[tuple[float, float], ...] = ()
    safety: Safety = Safety()
    health: tuple[NodeHealth, ...] = ()
    pursuit: Pursuit = Pursuit()


class Robot(Protocol):
    """What the page asks of the node. The methods that return text block and raise NjfError."""

    def view(self) -> View:
        """The newest of everything."""
        ...

    def start(self, drags: list[Drag], tolerance_px: float) -> str:
        """Send the drags as a goal."""
        ...

    def saved(self) -> list[str]:
        """Names of the saved goals."""
        ...

    def save(self, name: str, drags: list[Drag]) -> str:
        """Save the drags as a goal; without any, what the camera sees."""
        ...

    def start_saved(self, name: str, tolerance_px: float) -> str:
        """Send a saved goal."""
        ...

    def stop(self) -> str:
        """Cancel whatever goal is running."""
        ...

    def estop(self) -> str:
        """Latch the emergency stop."""
        ...

    def reset(self) -> str:
        """Release the emergency stop."""
        ...


class ErrorLog:
    """Errors of the present goal over time."""

    def __init__(self) -> None:
        self._begin_ns = self._newest_ns = 0
        self._steps: list[tuple[float, float]] = []

    def add(self, stamp_ns: int, aim: Aim) -> None:
        """Note how far the visible points of an image are from their targets."""
        gap_s = (stamp_ns - self._newest_ns) * 1e-9
        if not 0 <= gap_s <= _LONGEST_GAP_S:
            self._begin_ns, self._steps = stamp_ns, []
        self._newest_ns = stamp_ns
        if aim.visible.any():
            away = np.linalg.norm(aim.target_px - aim.now_px, axis=1)[aim.visible]
            self._steps.append(((stamp_ns - self._begin_ns) * 1e-9, float(away.mean())))
            del self._steps[:-_MOST_STEPS]

    @property
    def steps(self) -> tuple[tuple[float, float], ...]:
        """(time since the goal began [s], error [px])."""
        return tuple(self._steps)
