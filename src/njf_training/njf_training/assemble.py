"""From images and commands to a finished dataset: background, masks, flow, description.

Whoever writes images.npy, commands.npy, trajectory.npy and pairs.npy into a work folder leaves the
rest to an `Assembly`: the conversion of bags, the simulator's fast path, and importers.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.lib.format import open_memmap

from njf_control.robot import RobotConfig
from njf_perception.camera import Camera
from njf_perception.errors import DataError
from njf_training.dataset import Dataset, DatasetCamera, DatasetInfo
from njf_training.derive import (
    BLOCK,
    EstimatorFactory,
    background_block,
    flow_block,
    mask_block,
    run_blocks,
    run_missing_blocks,
)
from njf_training.masks import noise_threshold
from njf_training.tracks import DEFAULT_TRACKS, write_tracks
from njf_training.work_folder import WorkFolder


@dataclass(frozen=True)
class Source:
    """Where the images come from.

    Attributes:
        robot: the robot they show.
        cameras: calibrations, in the order of the robot's cameras.
        names: of the bags or other sources.
        settings: of the conversion, kept in dataset.json.
    """

    robot: RobotConfig
    cameras: list[Camera]
    names: list[str]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Assembly:
    """The work that is left once the images are there; every part is resumable.

    Attributes:
        work: the unfinished dataset.
        source: where it comes from.
        workers: processes.
        make_estimator: picklable maker of the flow estimator.
        flow_cameras: cameras per pair in which flow is estimated, the control camera always.
        tracks: tracked points per pair and camera, with as many still ones; 0 for none.
    """

    work: WorkFolder
    source: Source
    workers: int
    make_estimator: EstimatorFactory
    flow_cameras: int
    tracks: int = 0

    def run(self) -> tuple[Float[np.ndarray, "t c"], Float[np.ndarray, "p k"]]:
        """Do it. Returns the robot's share of every image and the share of it with known flow."""
        self.write_backgrounds()
        areas = self.write_masks()
        valid = self.write_flow()
        self.write_tracks()
        self.describe()
        return areas, valid

    @property
    def _images(self) -> np.ndarray:
        return np.load(self.work.folder / "images.npy", mmap_mode="r")

    @property
    def _roles(self) -> list[str]:
        return [camera.role for camera in self.source.robot.cameras]

    def write_backgrounds(self) -> None:
        """Write background.npy from the images."""
        if self.work.is_done("background"):
            return
        tasks = [(self.work.folder, camera) for camera in range(self._images.shape[1])]
        results = run_blocks(background_block, tasks, self.workers, "background")
        np.save(self.work.folder / "background.npy", np.array([still for _, still in results]))
        self.work.set_done("background")

    def write_masks(self) -> Float[np.ndarray, "t c"]:
        """Write masks.npy from images and backgrounds; returns the robot's share of the images."""
        if not self.work.is_done("masks"):
            images = self._images
            still = np.load(self.work.folder / "background.npy")
            count, cameras, height, width = images.shape[:4]
            shape = (count, cameras, -(-height * width // 8))
            open_memmap(self.work.folder / "masks.npy", "w+", np.uint8, shape)
            thresholds = [noise_threshold(images[:, c], still[c]) for c in range(cameras)]
            tasks = [(self.work.folder, *block, thresholds) for block in _blocks(count)]
            areas = [area for _, area in run_blocks(mask_block, tasks, self.workers, "masks")]
            self.work.set_done("masks", np.concatenate(areas).tolist())
        return np.array(self.work.result("masks"))

    def write_flow(self) -> Float[np.ndarray, "p k"]:
        """Write flow.npy from images and masks; returns the robot's share with known flow."""
        pairs = len(np.load(self.work.folder / "pairs.npy"))
        chosen = self._choose_cameras(pairs)
        if not self.work.is_done("flow"):
            _, cameras, height, width = self._images.shape[:4]
            shape = (pairs, cameras, height // 2, width // 2, 2)
            open_memmap(self.work.folder / "flow.npy", "w+", np.float16, shape).flush()
            self.work.set_done("flow")
        tasks = {
            block: (self.work.folder, *block, chosen[slice(*block)], self.make_estimator)
            for block in _blocks(pairs)
        }
        valid = run_missing_blocks(self.work, flow_block, tasks, self.workers, "flow")
        return np.array([row for rows in valid for row in rows])

    def write_tracks(self) -> None:
        """Write tracks.npy from images and masks, if there shall be any."""
        if self.tracks and not self.work.is_done("tracks"):
            write_tracks(self.work.folder, self._roles, self.tracks, self.workers)
            self.work.set_done("tracks")

    def _choose_cameras(self, pairs: int) -> Int[np.ndarray, "p k"]:
        """Per pair the control camera and some random others, none of them held out."""
        control = self._roles.index("control")
        others = [i for i, role in enumerate(self._roles) if role == "training"]
        random = np.random.default_rng(0).permuted(np.tile(others, (pairs, 1)), axis=1)
        more = random[:, : self.flow_cameras - 1].reshape(pairs, -1).astype(int)
        return np.concatenate([np.full((pairs, 1), control), more], axis=1)

    def describe(self) -> None:
        """Write dataset.json, once all arrays are there."""
        folder, robot = self.work.folder, self.source.robot
        info = DatasetInfo(
            robot=robot.name,
            channel_names=robot.channel_names,
            channel_units=robot.channel_units,
            cameras=[
                DatasetCamera.of(camera, config.role)
                for camera, config in zip(self.source.cameras, robot.cameras, strict=True)
            ],
            states=len(np.load(folder / "trajectory.npy")),
            pairs=len(np.load(folder / "pairs.npy")),
            bags=self.source.names,
            settings=self.source.settings,
            content_id=content_id(folder),
        )
        (folder / "dataset.json").write_text(info.model_dump_json(indent=2) + "\n")


def _blocks(count: int) -> list[tuple[int, int]]:
    return [(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def content_id(folder: Path) -> str:
    """Hash of every array of the dataset."""
    digest = hashlib.blake2b(digest_size=16)
    for name in Dataset.ARRAYS:
        path = folder / f"{name}.npy"
        if path.exists():
            with path.open("rb") as stream:
                while block := stream.read(2**22):
                    digest.update(block)
    return digest.hexdigest()


def add_tracks(folder: Path, count: int = DEFAULT_TRACKS, workers: int = 2) -> Dataset:
    """Track points in a finished dataset: write its tracks.npy and note that it has changed.

    Raises:
        DataError: the folder holds no dataset, or one that has tracks.
    """
    dataset = Dataset.open(folder)
    if dataset.tracks is not None:
        raise DataError(f"{folder / 'tracks.npy'} exists already. Remove it to track again.")
    write_tracks(folder, [camera.role for camera in dataset.cameras], count, workers)
    info = dataset.info.model_copy(update={"content_id": content_id(folder)})
    (folder / "dataset.json").write_text(info.model_dump_json(indent=2) + "\n")
    return Dataset.open(folder)
