"""How a run does on motions that it does not train on."""

import copy

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import nn

from njf_perception.errors import DataError
from njf_training.augment import AugmentConfig
from njf_training.batches import draw_batch, to_device
from njf_training.contact_sheet import flow_colors
from njf_training.trainer import Trainer, seed_noise

NO_CHANGES = AugmentConfig(gain=0, tint=0, noise=0, background=0, occluder=0)
GAP_PX = 4  # grey space between the views of a picture


class Validation:
    """A fixed batch of held-out motions, spread evenly, and one of them to look at.

    Raises:
        DataError: the dataset holds back no motion.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        held_out = trainer.dataset.split().validation
        if not len(held_out):
            raise DataError(
                f"{trainer.dataset.folder} has no motion in its last trajectories, which are held "
                "back for validation. Record longer."
            )
        sampler = copy.copy(trainer.sampler)
        sampler.augment = NO_CHANGES
        size = trainer.world.size
        count = -(-trainer.config.validation_images // size) * size
        spread = np.linspace(0, len(held_out) - 1, count).round().astype(int)
        key = [trainer.config.seed]
        batch = draw_batch(sampler, held_out[spread], key, trainer.world)
        self._batch = to_device(batch, trainer.device)
        self._row = int(held_out[np.linalg.norm(self._commands(held_out), axis=-1).argmax()])
        self._objective = trainer.objective_of(trainer.averaged)

    @torch.no_grad()
    def losses(self) -> dict[str, float]:
        """Loss terms of the averaged model, with the same rays and noise every time.

        All processes must call it.
        """
        seed_noise([self._trainer.config.seed])
        with self._trainer.world.noise():
            return mean_losses(self._trainer, self._objective(self._batch))

    def picture(self) -> UInt8[np.ndarray, "h w 3"]:
        """Image, measured flow and predicted flow of one motion in the control camera.

        The flows share one scale; what has none is grey.
        """
        dataset = self._trainer.dataset
        control = dataset.camera_names.index(dataset.control_camera.name)
        measured = np.asarray(dataset.flow[self._row, control]).astype(np.float64)
        height, width = measured.shape[:2]
        image = np.asarray(dataset.images[dataset.pairs[self._row, 0], control])
        predicted = self._predict(image, (height, width))
        gap = np.full((height, GAP_PX, 2), np.nan)
        flows = flow_colors(np.concatenate([gap, measured, gap, predicted], axis=1))
        return np.concatenate([image[::2, ::2][:height, :width], flows], axis=1)

    @torch.no_grad()
    def _predict(
        self, image: UInt8[np.ndarray, "h w 3"], shape: tuple[int, ...]
    ) -> Float[np.ndarray, "h2 w2 2"]:
        """Predicted flow [px] on the grid of the dataset's flow; NaN where no robot is seen."""
        camera = self._trainer.dataset.control_camera
        modules: nn.ModuleDict = copy.deepcopy(self._trainer.averaged).cpu().eval()
        scene = modules["perception"].encode(image, camera)  # type: ignore[operator]
        v, u = np.mgrid[: shape[0], : shape[1]] * 2 + 0.5
        pixels = np.stack([u, v], axis=-1).reshape(-1, 2)
        points, confidence = scene.surface(torch.from_numpy(pixels).float())
        command = torch.from_numpy(self._commands(np.array([self._row]))[0]).float()
        moved = modules["jacobian"].displace(scene, points, command)  # type: ignore[operator]
        flow = camera.project(moved.double().numpy()) - camera.project(points.double().numpy())
        flow[confidence.numpy() < 0.5] = np.nan
        return flow.reshape(*shape, 2)

    def _commands(self, rows: np.ndarray) -> Float[np.ndarray, "b n"]:
        """Normalised change of the set-points in rows of `Dataset.pairs`."""
        dataset = self._trainer.dataset
        before, after = dataset.pairs[rows].T
        commands = dataset.normalized_commands()
        return commands[after] - commands[before]


def mean_losses(trainer: Trainer, losses: dict[str, torch.Tensor]) -> dict[str, float]:
    """Loss terms of the whole batch from every process's own. All processes must call it."""
    values = trainer.world.mean(torch.stack(list(losses.values()))).tolist()
    return {"total": float(sum(values))} | dict(zip(losses, values, strict=True))
