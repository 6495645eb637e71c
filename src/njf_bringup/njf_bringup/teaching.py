"""What the verbs of teaching do with a robot that is up: look, film, pursue."""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from tqdm import tqdm

from njf_bringup.demo.results import Outcome, Picture
from njf_bringup.goals.film import Demonstration, Image, demonstration
from njf_bringup.goals.picture import write_strip
from njf_bringup.goals.store import GoalStore
from njf_bringup.process import environment_defaults
from njf_bringup.servo_progress import ServoProgress
from njf_bringup.supervisor import interruptible
from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError, DataError, NjfError, StoppedError
from njf_perception.video_file import read_video

LOGS = Path("out/goal")  # of this process's own node


@dataclass(frozen=True)
class Pursuit:
    """How a saved goal is pursued; see `njf goal run`."""

    namespace: str = ""
    timeout_s: float = 60.0
    tolerance_px: float = 0.0
    approach: bool = True
    strip: Path | None = None


@dataclass(frozen=True)
class Filming:
    """How a demonstration is filmed; see `njf demonstrate`.

    Attributes:
        seconds: length of the film [s]; 0: until Ctrl-C or Enter.
        folder: where a film lies until the goal is saved.
        namespace: of the robot's nodes.
    """

    seconds: float = 0.0
    folder: Path = Path("out/demonstrate")
    namespace: str = ""


def present_picture(robot: RobotConfig, namespace: str) -> UInt8[np.ndarray, "h w 3"]:
    """What the control camera sees now (RGB). Raises StaleDataError."""
    os.environ.update(environment_defaults(LOGS))
    from njf_bringup.nodes.onlooker import Onlooker

    with Onlooker(robot, namespace=namespace) as client:
        return client.picture_at_rest().image


def pursue(store: GoalStore, name: str, options: Pursuit) -> Outcome:
    """Pursue a saved goal with the robot that is up, showing progress.

    Raises:
        ConfigError, DataError: the goal does not fit, or cannot begin here; nothing moved for it.
        StoppedError: interrupted; the goal was cancelled.
    """
    goal, frames = store.load(name), []
    if options.strip is not None and goal.video is None:
        raise ConfigError(f"goal '{name}' is no demonstration, so there is no strip of it.")
    os.environ.update(environment_defaults(LOGS))
    from njf_bringup.nodes.onlooker import Onlooker
    from njf_bringup.nodes.taught_run import TaughtRun

    def keep(picture: Picture) -> None:
        if options.strip is not None:
            frames.append(picture.image)

    try:
        with (
            interruptible(),
            Onlooker(store.robot, namespace=options.namespace) as client,
            ServoProgress(name) as bar,
        ):
            times = options.timeout_s, options.tolerance_px
            run = TaughtRun(client, *times, options.approach, bar.step, keep, bar.say)
            outcome = run.run(name, goal)
    except StoppedError as error:
        raise StoppedError(f"CANCELED: {error} The robot holds where it stands.") from None
    if options.strip is not None and goal.video is not None and frames:
        title = f"{name}: {outcome.reason}, {outcome.error_px:.2f} px left"
        write_strip(options.strip, list(read_video(goal.video)), frames, title)
    return outcome


def film_demonstration(store: GoalStore, name: str, options: Filming) -> tuple[Path, list[float]]:
    """Film what the robot that is up does; the file, and when its images were taken [s].

    Raises:
        StaleDataError: no images come.
    """
    os.environ.update(environment_defaults(LOGS))
    from njf_bringup.nodes.filming import film
    from njf_bringup.nodes.onlooker import Onlooker

    path = options.folder / f"{name}_{datetime.now():%Y%m%d_%H%M%S}.avi"
    with (
        interruptible(),
        Onlooker(store.robot, namespace=options.namespace) as client,
        stop_asked() as asked,
        tqdm(desc="filming", unit=" images") as bar,
    ):
        seconds, began_s = options.seconds, time.monotonic()

        def show(time_s: float) -> None:
            if bar.n == 0:
                end = f"for {seconds:g} s" if seconds else "until Enter or Ctrl-C"
                bar.write(f"filming {end}")
            bar.set_postfix_str(f"{time_s:.1f} s", refresh=False)
            bar.update()

        def enough() -> bool:
            return asked() or (seconds > 0 and time.monotonic() - began_s >= seconds)

        times_s = film(client, path, enough, show)
    return path, times_s


def taught_by(
    store: GoalStore,
    video: Path,
    times_s: Sequence[float] | None,
    points_px: Float32[np.ndarray, "n 2"] | None,
    note: str,
) -> Demonstration:
    """What a film shows, with progress.

    Raises:
        DataError: the film is not of this camera's size, or too few points are seen to its end.
    """
    camera = store.robot.control_camera
    height, width = next(read_video(video)).shape[:2]
    if (width, height) != (camera.width, camera.height):
        raise DataError(
            f"{video} has images of {width} x {height} px, {camera.name} of {camera.width} x "
            f"{camera.height}. Film with the camera of the loop at its size."
        )

    def progress(images: Iterable[Image], count: int) -> Iterable[Image]:
        return tqdm(images, desc="following points", total=count, unit=" images")

    try:
        return demonstration(video, times_s, points_px, note, progress)
    except NjfError as error:
        if times_s is None:
            raise
        raise DataError(f"{error} The film is kept: --video {video} uses it again.") from None


@contextmanager
def stop_asked() -> Iterator[Callable[[], bool]]:
    """Whether somebody has pressed Enter or Ctrl-C; Ctrl-C interrupts nothing here."""
    asked, at_terminal = threading.Event(), sys.stdin is not None and sys.stdin.isatty()
    before = signal.signal(signal.SIGINT, lambda number, frame: asked.set())

    def look() -> bool:
        if at_terminal and select.select([sys.stdin], [], [], 0)[0]:
            sys.stdin.readline()
            asked.set()
        return asked.is_set()

    try:
        yield look
    finally:
        signal.signal(signal.SIGINT, before)
