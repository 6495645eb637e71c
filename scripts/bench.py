"""Speed of the control step's parts, each beside what it replaces, as ratios of one run.

Absolute times differ from machine to machine and from hour to hour; the two sides of a row are
measured in turn, so their ratio holds. Run by `make bench`.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from njf_control.jacobian import load_jacobian
from njf_control.robot import load_robot
from njf_perception.camera import pixel_grid
from njf_perception.checkpoint import load_checkpoint
from njf_perception.scene import PixelNerfScene
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker, pick_points
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 15


def compare(name: str, ours: Callable[[], object], other: Callable[[], object]) -> None:
    """Print the median time of both sides [ms] and the median of their ratio, round by round."""
    ours(), other()
    rounds = [(_time_ms(ours), _time_ms(other)) for _ in range(ROUNDS)]
    mine, theirs = (statistics.median(side) for side in zip(*rounds, strict=True))
    ratio = statistics.median(b / a for a, b in rounds)
    print(f"{name:<58}{mine:9.2f}{theirs:10.2f}{ratio:9.1f}x")


def _time_ms(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - begin)


def main() -> None:
    """Measure on the finger with its checkpoint."""
    torch.set_num_threads(1)
    robot = load_robot(ROOT / "config/robots/finger.yaml")
    checkpoint = load_checkpoint(ROOT / "checkpoints/finger/finger.pt")
    model = checkpoint.scene_model()
    field = load_jacobian(checkpoint, model)
    simulated = RobotModel.from_robot(robot)
    camera = simulated.cameras[robot.control_camera.name]
    renderer = Renderer(simulated)
    renderer.pose(np.array([0.2, -0.4, 0.6]))
    frame = renderer.render(camera.name)
    robot_mask = renderer.is_moving[frame.geom] & (frame.geom >= 0)
    points = pick_points(frame.rgb, robot_mask, 100)
    pixels = torch.from_numpy(points)
    everywhere = torch.from_numpy(pixel_grid(camera.width, camera.height)[::2, ::2]).float()
    everywhere = everywhere.reshape(-1, 2)
    scene: PixelNerfScene = model.encode(frame.rgb, camera)
    tracker = LucasKanadeTracker()
    tracker.start(frame.rgb, points)

    def at_the_tracks() -> None:
        field.evaluate(scene, scene.surface(pixels)[0])

    def control_step() -> None:
        encoded = model.encode(frame.rgb, camera)
        tracker.update(frame.rgb)
        field.evaluate(encoded, encoded.surface(pixels)[0])

    print(f"{'one CPU thread':<58}{'ms':>9}{'other ms':>10}{'ratio':>10}")
    compare(
        f"surface at {len(points)} tracks: around the proposal / whole ray",
        lambda: scene.surface(pixels),
        lambda: scene.surface_reference(pixels),
    )
    compare(
        "Jacobian: at the tracks / at every second pixel",
        at_the_tracks,
        lambda: field.evaluate(scene, scene.surface(everywhere)[0]),
    )
    compare(
        "encode, track and Jacobian / rendering the image itself",
        control_step,
        lambda: renderer.render(camera.name),
    )


if __name__ == "__main__":
    main()
