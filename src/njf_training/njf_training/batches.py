"""The batches of a run: drawn from step and item alone, so that they do not depend on who draws."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Int

from njf_training.distributed import World
from njf_training.sampler import Batch, RaySampler


def draw_batch(
    sampler: RaySampler, rows: Int[np.ndarray, " b"], key: list[int], world: World
) -> Batch:
    """This process's share of the batch made of rows of `Dataset.pairs`.

    Every item has a generator of its own, seeded by `key` and its place in the whole batch.
    """
    parts = [
        # Not `key + [item]`: numpy gives seeds that differ in trailing zeros the same stream.
        sampler.batch(rows[item : item + 1], np.random.default_rng([*key, item + 1]))
        for item in world.share(len(rows))
    ]
    return Batch(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def training_batches(
    sampler: RaySampler, steps: range, count: int, seed: int, workers: int, world: World
) -> Iterator[Batch]:
    """Batches of `count` images for the given steps, prepared ahead by `workers` threads."""

    def make(step: int) -> Batch:
        rows = np.random.default_rng([seed, step]).choice(sampler.rows, count)
        return draw_batch(sampler, rows, [seed, step], world)

    ahead = workers + 1
    with ThreadPoolExecutor(workers) as pool:
        pending = deque(pool.submit(make, step) for step in steps[:ahead])
        try:
            for step in steps:
                batch = pending.popleft().result()
                if step + ahead in steps:
                    pending.append(pool.submit(make, step + ahead))
                yield batch
        finally:
            pool.shutdown(cancel_futures=True)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch where the model is; the copy to a GPU overlaps with what it is doing."""
    if device.type == "cpu":
        return batch
    return Batch(*(part.pin_memory().to(device, non_blocking=True) for part in batch))
