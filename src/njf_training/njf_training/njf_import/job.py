"""The arrays of an import that come from files; every part is resumable."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int32
from numpy.lib.format import open_memmap

from njf_control.robot import RobotConfig
from njf_training.assemble import Assembly
from njf_training.derive import BLOCK, run_missing_blocks, unpack
from njf_training.njf_import.blocks import flow_block, image_block, mask_block, track_block
from njf_training.njf_import.merge import ImportedState, neighbours
from njf_training.njf_import.options import ImportOptions
from njf_training.njf_import.views import View
from njf_training.work_folder import WorkFolder

BOX_STATES = 40  # whose masks say where the robot moved


@dataclass(frozen=True)
class ImportJob:
    """What to import, and where to.

    Attributes:
        work: the unfinished dataset.
        states: in the order of the dataset.
        views: per camera.
        options: see there.
    """

    work: WorkFolder
    states: list[ImportedState]
    views: list[View]
    options: ImportOptions

    @cached_property
    def rows(self) -> Int32[np.ndarray, "p 2"]:
        """States before and after every pair."""
        return neighbours(self.states)

    @cached_property
    def commands(self) -> Float[np.ndarray, "t n"]:
        """Set-points per state."""
        return np.array([state.setpoint for state in self.states])

    @cached_property
    def pairs(self) -> list[tuple[ImportedState, ImportedState]]:
        """The states of `rows`."""
        return [(self.states[a], self.states[b]) for a, b in self.rows]

    @property
    def _size(self) -> tuple[int, int]:
        return self.views[0].camera.height, self.views[0].camera.width

    def write_arrays(self) -> None:
        """Write commands, trajectory, pairs, images and, where measured, depth."""
        folder, (h, w) = self.work.folder, self._size
        shape = (len(self.states), len(self.views))
        if not self.work.is_done("arrays"):
            np.save(folder / "commands.npy", self.commands)
            trajectory = np.array([state.trajectory for state in self.states], np.int32)
            np.save(folder / "trajectory.npy", trajectory)
            np.save(folder / "pairs.npy", self.rows)
            open_memmap(folder / "images.npy", "w+", np.uint8, (*shape, h, w, 3)).flush()
            if any(f.depth.is_file() for state in self.states for f in state.frames):
                size = (*shape, h // 2, w // 2)
                open_memmap(folder / "depth.npy", "w+", np.float16, size).flush()
            self.work.set_done("arrays")
        self._blocks(image_block, "images", self.states)

    def take_masks(self) -> float:
        """Put given masks in place of ours; returns their share."""
        return _mean(self._blocks(mask_block, "given masks", self.states))

    def take_flow(self, assembly: Assembly, robot: RobotConfig) -> float:
        """Write flow: given where there is a file, else estimated; returns the given share."""
        trained = [i for i, camera in enumerate(robot.cameras) if camera.role != "held_out"]
        if not self._all_flow_given(trained):
            assembly.write_flow()
        elif not self.work.is_done("given flow array"):
            h, w = self._size
            shape = (len(self.rows), len(self.views), h // 2, w // 2, 2)
            flow = open_memmap(self.work.folder / "flow.npy", "w+", np.float16, shape)
            flow[:] = np.nan
            flow.flush()
            self.work.set_done("given flow array")
        given = self._blocks(flow_block, "given flow", self.pairs)
        return _mean(given[:, trained])

    def take_tracks(self, robot: RobotConfig) -> int | None:
        """Write given point tracks; returns how many pairs have none, None without any."""
        if not any(f.tracks for state in self.states if state.step == 0 for f in state.frames):
            return None
        file = self.work.folder / "tracks.npy"
        if not self.work.is_done("tracks array"):
            shape = (len(self.rows), len(self.views), 2 * self.options.tracks, 4)
            open_memmap(file, "w+", np.float32, shape).flush()
            self.work.set_done("tracks array")
        trajectories = np.array([before.trajectory for before, _ in self.pairs])
        groups = [np.flatnonzero(trajectories == t).tolist() for t in np.unique(trajectories)]
        roles = [camera.role for camera in robot.cameras]
        tasks = {
            rows[0]: (self.work.folder, rows, [self.pairs[row] for row in rows], self.views, roles,
                      self.options.tracks)
            for rows in groups
        }  # fmt: skip
        counts = run_missing_blocks(self.work, track_block, tasks, self.options.workers, "tracks")
        return sum(count == 0 for row in counts for count in row)

    def some_masks(self) -> Bool[np.ndarray, "s c h w"]:
        """Masks of some states, evenly over all."""
        masks = np.load(self.work.folder / "masks.npy", mmap_mode="r")
        some = np.linspace(0, len(masks) - 1, min(BOX_STATES, len(masks))).astype(int)
        return np.array([[unpack(bits, self._size) for bits in masks[s]] for s in some])

    def _all_flow_given(self, cameras: list[int]) -> bool:
        return all(
            any(path.is_file() for path in before.frames[camera].flow("fwd"))
            for before, _ in self.pairs
            for camera in cameras
        )

    def _blocks(self, work: Any, label: str, items: Sequence[Any]) -> np.ndarray:
        """Run a block function over `items`; returns its results, joined."""
        tasks = {
            start: (self.work.folder, start, list(items[start : start + BLOCK]), self.views)
            for start in range(0, len(items), BLOCK)
        }
        found = run_missing_blocks(self.work, work, tasks, self.options.workers, label)
        return np.array([row for rows in found for row in rows])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else 0.0
