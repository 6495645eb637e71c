"""Where to compute, and with how many bits."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from njf_perception.encoder import ConvPyramid
from njf_perception.errors import ConfigError
from njf_perception.field import PointMlp

NETWORKS = (ConvPyramid, PointMlp)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(asked: str, local_rank: int) -> torch.device:
    """The device that `auto`, `cpu` or `cuda` means for a process.

    Raises:
        ConfigError: a GPU was asked for and there is none for this process.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == "cpu" or (asked == "auto" and not count):
        return torch.device("cpu")
    if local_rank >= count:
        raise ConfigError(
            f"device 'cuda' was asked for by process {local_rank} of this machine, which has "
            f"{count} usable GPUs. Start at most one process per GPU, or set `device: cpu`."
        )
    return torch.device("cuda", local_rank)


def choose_dtype(asked: str, device: torch.device) -> torch.dtype:
    """The type that the networks compute in; see TrainConfig.precision."""
    if asked != "auto":
        return DTYPES[asked]
    has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.bfloat16 if has_bfloat16 else torch.float32


def compute_networks_in(dtype: torch.dtype, device: torch.device, module: nn.Module) -> None:
    """Make the networks inside `module` compute in `dtype` and answer in float32.

    Only the networks: eight bits of mantissa would move a projected point by a pixel.
    """
    if dtype == torch.float32:
        return
    for part in module.modules():
        if isinstance(part, NETWORKS):
            part.forward = _cast(part.forward, device.type, dtype)


def _cast(forward: Callable[..., Any], device: str, dtype: torch.dtype) -> Callable[..., Any]:
    def cast(*inputs: Tensor) -> Any:
        with torch.autocast(device, dtype):
            outputs = forward(*inputs)
        if isinstance(outputs, Tensor):
            return outputs.float()
        return tuple(output.float() for output in outputs)

    return cast
