"""Several processes that train one model: every process takes its share of each step's batch.

N processes with N shares give the gradients of one process with the whole batch, because means are
taken over the rays of all processes and random numbers are drawn for the whole batch everywhere.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import distributed as dist
from torch.overrides import TorchFunctionMode

from njf_perception.errors import ConfigError


@dataclass(frozen=True)
class World:
    """The processes of a run, seen from one of them.

    Attributes:
        rank: number of this process, 0..size-1. The first one writes files.
        size: how many processes there are.
        local_rank: number among the processes of this machine; says which GPU to take.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @staticmethod
    def of_environment() -> "World":
        """What torchrun says in the environment; one process without it."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        if "WORLD_SIZE" not in os.environ:
            return World()
        return World(*(int(os.environ.get(name, 0)) for name in names))

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """Which of `count` items of a batch are this process's.

        Raises:
            ConfigError: they cannot be shared evenly.
        """
        if count % self.size:
            raise ConfigError(
                f"a batch of {count} images cannot be shared evenly by {self.size} processes. "
                f"Choose a multiple of {self.size}, or another number of processes."
            )
        own = count // self.size
        return range(self.rank * own, (self.rank + 1) * own)

    def mean(self, values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Mean of a tensor over the processes."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
            values /= self.size
        return values

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set in any process."""
        return bool(self.mean(torch.tensor(float(flag), device=device)) > 0)

    def from_first(self, value: Any) -> Any:
        """What the first process has, in every process."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module with gradients that are means over the processes."""
        if self.size == 1:
            return module
        return nn.parallel.DistributedDataParallel(module, broadcast_buffers=False)

    def noise(self) -> AbstractContextManager[object]:
        """Within it, random tensors are this process's share of those of the whole batch."""
        return SharedNoise(self) if self.size > 1 else nullcontext()


@contextmanager
def join(world: World, device: torch.device) -> Iterator[None]:
    """Connect the processes of a run: nccl between GPUs, gloo between CPUs."""
    if world.size == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def mean_where(values: Float[Tensor, "*n"], where: Tensor) -> Float[Tensor, ""]:
    """Mean of the values that `where` selects, in a form that processes can average.

    A process's own mean would count a ray the more, the fewer rays its share has. So the sum is
    divided by the number of rays that a process has on average.
    """
    count, size = where.sum().float(), 1
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(count)
        size = dist.get_world_size()
    return (values * where).sum() * size / count.clamp_min(1)


class SharedNoise(TorchFunctionMode):
    """Replaces draws by this process's rows of the draw that one process would have made."""

    LIKE = {torch.rand_like: torch.rand, torch.randn_like: torch.randn}

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See torch.overrides: called in place of every torch function."""
        kwargs = kwargs or {}
        if func in self.LIKE:
            like = args[0]
            return self._draw(self.LIKE[func], like.shape, dtype=like.dtype, device=like.device)
        if func in self.LIKE.values():
            shape = args[0] if len(args) == 1 and not isinstance(args[0], int) else args
            return self._draw(func, shape, **kwargs)
        return func(*args, **kwargs)

    def _draw(self, draw: Any, shape: Any, **options: Any) -> Tensor:
        images, *rest = shape
        whole = draw(images * self._world.size, *rest, **options)
        own = self._world.share(len(whole))
        return whole[own.start : own.stop]
