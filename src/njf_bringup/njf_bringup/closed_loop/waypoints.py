"""What a task asks for, as a list of set-points to be reached one after the other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from njf_bringup.closed_loop.kinematics import reach
from njf_bringup.paths import root
from njf_control.robot import RobotConfig
from njf_perception.camera import Camera
from njf_perception.config import Config, load_config
from njf_perception.errors import ConfigError
from njf_sim.robot_model import RobotModel

Stroke = list[tuple[float, float]]
_SQUARE: list[Stroke] = [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]]
_LETTER_PITCH = 1.0  # of the height
_LETTERS: dict[str, list[Stroke]] = {  # right and down, of the height
    "N": [[(0, 1), (0, 0), (0.65, 1), (0.65, 0)]],
    "J": [[(0.6, 0), (0.6, 0.75), (0.45, 1), (0.2, 1), (0.05, 0.75)]],
    "F": [[(0.65, 0), (0, 0), (0, 1)], [(0, 0.5), (0.5, 0.5)]],
}
_LARGEST_STEP = 0.3  # between the waypoints of postures [half range]


class DrawingConfig(Config):
    """Where and how large a tip draws; the plane faces the control camera."""

    center_m: list[float] | None = Field(
        default=None,
        min_length=3,
        max_length=3,
        description="middle of the drawing in the world [m]; default: the tip's mean",
    )
    side_m: float = Field(default=0.04, gt=0, description="side of the square [m]")
    letter_height_m: float = Field(default=0.03, gt=0, description="height of the letters [m]")
    spacing_m: float = Field(default=0.01, gt=0, description="between two waypoints [m]")


class PostureConfig(Config):
    """One posture."""

    name: str = Field(min_length=1, description="what it is called")
    setpoint: dict[str, float] = Field(
        description="per channel [unit]; others stand at zero or as near to it as their range is"
    )


class TaskConfig(Config):
    """Tasks of one robot, config/tasks/<robot>.yaml."""

    drawing: DrawingConfig | None = Field(default=None, description="square and letters")
    postures: list[PostureConfig] = Field(default=[], description="one after the other")

    @model_validator(mode="after")
    def _told_apart(self) -> "TaskConfig":
        names = [posture.name for posture in self.postures]
        if len(set(names)) != len(names):
            raise ValueError(f"every posture needs a name of its own: {names}")
        return self


@dataclass(frozen=True)
class Waypoint:
    """One goal of a task.

    Attributes:
        setpoint: where the robot should stand [channel unit].
        label: name of a corner or posture; empty on the way to one.
        point_m: where the first tip should be in the world; None for postures.
        stroke: number of the line that leads here; -1 when nothing is drawn on the way.
    """

    setpoint: Float[np.ndarray, " n"]
    label: str = ""
    point_m: Float[np.ndarray, "3"] | None = None
    stroke: int = -1


def load_tasks(robot: str) -> TaskConfig:
    """The tasks of a robot.

    Raises:
        ConfigError: there are none, or the file does not fit.
    """
    path: Path = root() / "config" / "tasks" / f"{robot}.yaml"
    if not path.is_file():
        raise ConfigError(f"{path} does not exist, so '{robot}' has no tasks. Use --task goals.")
    return load_config(path, TaskConfig)


def square(robot: RobotConfig, model: RobotModel, tasks: TaskConfig) -> list[Waypoint]:
    """A square that begins and ends in its upper left corner.

    Raises:
        ConfigError: the robot draws nothing, or does not reach that far.
    """
    drawing = _drawing(robot, tasks)
    return _drawn(robot, model, drawing, _SQUARE, drawing.side_m)


def letters(robot: RobotConfig, model: RobotModel, tasks: TaskConfig, text: str) -> list[Waypoint]:
    """A word.

    Raises:
        ConfigError: the robot draws nothing, does not reach that far, or a letter is not known.
    """
    unknown = sorted(set(text) - set(_LETTERS))
    if unknown or not text:
        raise ConfigError(f"cannot write '{text}'; letters: {', '.join(_LETTERS)}.")
    strokes = [
        [(x + index * _LETTER_PITCH, y) for x, y in stroke]
        for index, letter in enumerate(text)
        for stroke in _LETTERS[letter]
    ]
    drawing = _drawing(robot, tasks)
    return _drawn(robot, model, drawing, strokes, drawing.letter_height_m)


def postures(robot: RobotConfig, tasks: TaskConfig) -> list[Waypoint]:
    """The robot's postures; long ways are cut, for a tracker sees nothing of a turned hand.

    Raises:
        ConfigError: there are none, or one names an unknown channel or leaves the range.
    """
    if not tasks.postures:
        raise ConfigError(f"'{robot.name}' has no postures in config/tasks. Use another --task.")
    found: list[Waypoint] = []
    for posture in tasks.postures:
        end = _posture(robot, posture)
        found += [*_way(robot, found, end), Waypoint(end, posture.name)]
    return found


def _way(robot: RobotConfig, found: list[Waypoint], end: Float[np.ndarray, " n"]) -> list[Waypoint]:
    """Waypoints between the last one found and a set-point: none when it is near."""
    if not found:
        return []
    begin, half_range = found[-1].setpoint, (robot.upper - robot.lower) / 2
    steps = int(np.ceil(np.max(np.abs(end - begin) / half_range) / _LARGEST_STEP))
    return [Waypoint(begin + i / steps * (end - begin)) for i in range(1, steps)]


def _posture(robot: RobotConfig, posture: PostureConfig) -> Float[np.ndarray, " n"]:
    if unknown := sorted(set(posture.setpoint) - set(robot.channel_names)):
        raise ConfigError(
            f"posture '{posture.name}' names {unknown}, '{robot.name}' has {robot.channel_names}."
        )
    rest = np.clip(0.0, robot.lower, robot.upper)
    setpoint = np.array(
        [posture.setpoint.get(n, zero) for n, zero in zip(robot.channel_names, rest, strict=True)]
    )
    if ((setpoint < robot.lower) | (setpoint > robot.upper)).any():
        raise ConfigError(f"posture '{posture.name}' leaves the range of '{robot.name}'.")
    return setpoint


def _drawing(robot: RobotConfig, tasks: TaskConfig) -> DrawingConfig:
    if tasks.drawing is None:
        raise ConfigError(f"'{robot.name}' draws nothing in config/tasks. Use another --task.")
    return tasks.drawing


def _drawn(
    robot: RobotConfig,
    model: RobotModel,
    drawing: DrawingConfig,
    strokes: list[Stroke],
    scale_m: float,
) -> list[Waypoint]:
    """Waypoints of strokes given in units of `scale_m`, right and down as the camera sees them."""
    near = (robot.lower + robot.upper) / 2
    model.settle(near)
    center = model.tip if drawing.center_m is None else np.array(drawing.center_m)
    corners = [scale_m * np.array(stroke) for stroke in strokes]
    middle = (np.concatenate(corners).max(axis=0) + np.concatenate(corners).min(axis=0)) / 2
    camera: Camera = model.cameras[robot.control_camera.name]
    plane = camera.T_world_camera[:3, :2]
    found: list[Waypoint] = []
    for number, stroke in enumerate(corners):
        for begin, end in zip([None, *stroke], stroke, strict=False):
            for share, is_corner in _shares(begin, end, drawing.spacing_m):
                flat = end if begin is None else begin + share * (end - begin)
                point_m = center + plane @ (flat - middle)
                near = reach(robot, model, point_m, near)
                if begin is None:
                    found += _way(robot, found, near)
                label = f"corner {sum(bool(w.label) for w in found)}" if is_corner else ""
                found.append(Waypoint(near, label, point_m, -1 if begin is None else number))
    return found


def _shares(
    begin: Float[np.ndarray, "2"] | None, end: Float[np.ndarray, "2"], spacing_m: float
) -> list[tuple[float, bool]]:
    """Shares of the way at which waypoints lie, and whether each is the way's end."""
    if begin is None:
        return [(1.0, True)]
    count = max(1, round(float(np.linalg.norm(end - begin)) / spacing_m))
    return [((i + 1) / count, i + 1 == count) for i in range(count)]
