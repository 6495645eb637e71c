"""Draws docs/images/teaching_*.png: motions of the simulated finger, filmed and then followed.

The whole graph runs, with its real driver, as under `njf up`. Prints how near the followed motions
come: .venv/bin/python scripts/teaching_pictures.py [count]
"""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from njf_bringup.closed_loop.demonstration import Demonstration, draw_demonstrations
from njf_bringup.demo.legs import TRACKING_SPEED
from njf_bringup.goals import TaughtGoal
from njf_bringup.goals.film import demonstration
from njf_bringup.goals.picture import draw_goal, write_picture, write_strip
from njf_bringup.nodes.filming import film
from njf_bringup.nodes.onlooker import Onlooker
from njf_bringup.nodes.robot_client import RobotClient
from njf_bringup.nodes.taught_run import TaughtRun
from njf_bringup.style import GOAL, INK, NOW
from njf_bringup.up import resolve_options, running, use_private_domain
from njf_control.servo.waypoints import track_video
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker
from njf_perception.video_file import read_video

IMAGES = Path(__file__).parents[1] / "docs" / "images"
FAST = 1.0  # half range / s
DRAWN = 3  # demonstrations whose ways are drawn
# A busy machine is a slow one; how fast the loop is, is not asked for here.
PATIENT = """\
/**:
  ros__parameters:
    waypoint_timeout_s: 60.0
    image_timeout_s: 10.0
    robot_timeout_s: 10.0
"""


@dataclass(frozen=True)
class Followed:
    """One demonstration and what came of it."""

    goal: TaughtGoal
    frames: list[np.ndarray]
    reason: str
    left_px: float
    begin_deg: float
    error_deg: float

    @property
    def way_px(self) -> Float[np.ndarray, "t n 2"]:
        """Where the goal's points went; NaN where the tracker did not see them."""
        assert self.goal.paths is not None
        tracks = track_video(self.frames, self.goal.paths.start.points, LucasKanadeTracker)
        return np.array([np.where(t.visible[:, None], t.points, np.nan) for t in tracks])

    @property
    def strayed_px(self) -> float:
        """Mean distance of the points that are seen from the way shown, where it was worst."""
        assert self.goal.paths is not None
        seen = [here for here in self.way_px if np.isfinite(here[:, 0]).sum() >= 4]
        gaps = [np.linalg.norm(self.goal.paths.points_px - here, axis=2) for here in seen]
        return float(np.max([np.nanmean(gap, axis=1).min() for gap in gaps]))


def teach(client: RobotClient, watcher: Onlooker, shown: Demonstration, video: Path) -> Followed:
    """Film one motion, go back, follow the film."""
    client.move(shown.begin, FAST)
    with ThreadPoolExecutor(1) as pool:
        over: list[bool] = []
        filming = pool.submit(film, watcher, video, lambda: bool(over))
        try:
            for target in (shown.via, shown.end):
                client.move(target, TRACKING_SPEED)
        finally:
            over.append(True)
        times_s = filming.result()
        taught = demonstration(video, times_s)
    goal = taught.goal
    print(f"{len(times_s)} images, {np.diff(times_s).max():.2f} s at most between two; ", end="")
    print(f"{taught.kept} of {taught.moving} points seen to the end")
    end = client.measured()
    client.move(shown.begin, FAST)
    begin_deg = np.degrees(np.abs(client.measured() - end).max())
    frames: list[np.ndarray] = []
    run = TaughtRun(watcher, 120.0, on_picture=lambda picture: frames.append(picture.image))
    outcome = run.run(video.stem, goal)
    client.settle()
    error_deg = float(np.degrees(np.abs(client.measured() - end).max()))
    return Followed(goal, frames, outcome.reason, outcome.error_px, float(begin_deg), error_deg)


def write_ways(path: Path, followed: list[Followed]) -> None:
    """The way of the point that went furthest, as it was shown and as it was followed."""
    figure = Figure(figsize=(4.4 * len(followed), 4.0), dpi=100, facecolor="white")
    panels = figure.subplots(1, len(followed), squeeze=False)[0]
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.82, 0.03)
    for axes, one in zip(panels, followed, strict=True):
        assert one.goal.paths is not None and one.goal.start is not None
        shown, way = one.goal.paths.points_px, one.way_px
        far_px = np.linalg.norm(shown[-1] - shown[0], axis=1)
        index = int((far_px * np.isfinite(way[:, :, 0]).mean(axis=0)).argmax())
        axes.imshow(one.goal.start, alpha=0.75)
        axes.plot(*shown[:, index].T, color=GOAL, lw=5, alpha=0.6)
        axes.plot(*way[:, index].T, "o-", color=NOW, lw=1.5, ms=3)
        text = f"strays {one.strayed_px:.1f} px, ends {one.error_deg:.2f} deg off"
        axes.set_title(text, fontsize=11, color=INK)
        axes.axis("off")
    title = "the tip's way as shown on film (thick) and as followed (dots: one per image)"
    figure.text(0.01, 0.92, title, fontsize=15, fontweight="bold", color=INK)
    figure.savefig(path)


def main() -> int:
    """Teach, draw and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    use_private_domain()
    with tempfile.TemporaryDirectory(prefix="njf_teaching_") as scratch:
        folder = Path(scratch)
        parameters = folder / "patient.yaml"
        parameters.write_text(PATIENT)
        graph = resolve_options(
            run_dir=folder / "run", visualize=False, params_file=str(parameters)
        )
        with (
            running(graph) as supervisor,
            RobotClient(graph.robot, supervisor.check) as client,
            Onlooker(graph.robot, supervisor.check) as watcher,
        ):
            followed = []
            for index, shown in enumerate(draw_demonstrations(graph.robot, count, seed=0)):
                one = teach(client, watcher, shown, folder / f"motion_{index}.avi")
                print(
                    f"{one.reason}: joints {one.begin_deg:.1f} -> {one.error_deg:.2f} deg, "
                    f"{one.left_px:.2f} px left, strayed {one.strayed_px:.1f} px",
                    flush=True,
                )
                followed.append(one)
        best = max(followed, key=lambda one: one.begin_deg)
        assert best.goal.video is not None
        camera = graph.robot.control_camera
        picture = draw_goal(best.goal, camera.width, camera.height)
        write_picture(IMAGES / "teaching_goal.png", picture)
        title = f"{best.reason}: {best.left_px:.2f} px left"
        shown = list(read_video(best.goal.video))
        write_strip(IMAGES / "teaching_strip.png", shown, best.frames, title)
        write_ways(IMAGES / "teaching_ways.png", followed[:DRAWN])
    errors = [one.error_deg for one in followed]
    print(f"joint error, median {np.median(errors):.2f} deg, largest {np.max(errors):.2f} deg")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
