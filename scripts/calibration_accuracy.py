"""Calibrate a rendered rig with known poses, the way a user does, and say how far off it is.

    python scripts/calibration_accuracy.py --out /tmp/rig

renders the images of 12 cameras into folders, finds tags in them, adds noise to the corners where
--corner-noise-px asks for it, calibrates, and prints the errors of the cameras' poses.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from njf_perception.calibration.files import camera_info_text
from njf_perception.calibration.folders import lens_files, pictures, read_views
from njf_perception.calibration.rig import calibrate_rig
from njf_perception.calibration.views import View
from njf_sim.board_pictures import Optics, board_picture
from njf_sim.board_rig import BoardRig, board_rig

DISTORTION = (-0.12, 0.05, 0.0005, -0.0005, 0.0)


def main() -> None:
    """Render, calibrate, compare."""
    options = parse()
    rng = np.random.default_rng(options.seed)
    rig = board_rig(options.cameras, options.instants, rng, distortion=DISTORTION)
    render(rig, options.out, rng, Optics(options.blur_px, options.noise))
    taken = pictures(options.out)
    lenses = lens_files(sorted(rig.lenses), options.out)
    sizes = {name: (lens.width, lens.height) for name, lens in lenses.items()}
    views = list(tqdm(read_views(rig.board, taken, sizes), desc="find tags", total=len(taken)))
    corners = np.concatenate([corner_errors(rig, view) for view in views])
    print(f"{len(views)} images, {len(corners) // 4} tags, corners {rms(corners):.3f} px off")
    for noise_px in options.corner_noise_px:
        found = calibrate_rig(rig.board, lenses, [noisy(view, noise_px, rng) for view in views])
        position_m, rotation_rad = rig.errors(found.solution.T_world_camera)
        mm, deg = 1e3 * position_m, np.rad2deg(rotation_rad)
        print(
            f"corners + {noise_px} px: position median {np.median(mm):.2f} mm, largest "
            f"{mm.max():.2f} mm; rotation median {np.median(deg):.3f} deg, largest "
            f"{deg.max():.3f} deg"
        )


def render(rig: BoardRig, out: Path, rng: np.random.Generator, optics: Optics) -> None:
    """Images `<camera>/<instant>.png` and `<camera>.yaml` files; what is there already stays."""
    out.mkdir(parents=True, exist_ok=True)
    for name, lens in rig.lenses.items():
        (out / name).mkdir(exist_ok=True)
        (out / f"{name}.yaml").write_text(camera_info_text(name, lens))
    for camera, instant, T in tqdm(rig.seen(), desc="render", unit="image"):
        path = out / camera / f"{instant}.png"
        if not path.exists():
            cv2.imwrite(str(path), board_picture(rig.board, rig.lenses[camera], T, rng, optics))


def corner_errors(rig: BoardRig, view: View) -> np.ndarray:
    """Seen minus true corners of a view [px]."""
    T = np.linalg.inv(rig.T_world_camera[view.camera]) @ rig.T_world_board[view.instant]
    points = view.points_m(rig.board) @ T[:3, :3].T + T[:3, 3]
    return view.pixels - rig.lenses[view.camera].project(points)[0]


def noisy(view: View, noise_px: float, rng: np.random.Generator) -> View:
    """A view with noise on its corners."""
    corners = view.sighting.corners_px
    corners = corners + noise_px * rng.standard_normal(corners.shape)
    return replace(view, sighting=replace(view.sighting, corners_px=corners))


def rms(values: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt((values**2).mean()))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the images")
    parser.add_argument("--cameras", type=int, default=12)
    parser.add_argument("--instants", type=int, default=25, help="poses of the board")
    parser.add_argument("--blur-px", type=float, default=0.7, help="standard deviation [px]")
    parser.add_argument("--noise", type=float, default=3.0, help="of each pixel, of 255")
    parser.add_argument("--corner-noise-px", type=float, nargs="*", default=[0.0, 0.3])
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
