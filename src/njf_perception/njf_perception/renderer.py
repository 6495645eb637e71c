"""Volume rendering, the readable reference.

Depths are measured along the target camera's z axis: ray directions have unit depth, so the depth
of a sample is its multiple of the direction.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def sample_weights(
    density: Float[Tensor, "*n s"], depths: Float[Tensor, "*n s"], length: Float[Tensor, "*n"]
) -> Float[Tensor, "*n s"]:
    """Weight of each sample: w_i = (1 - exp(-sigma_i d_i)) * exp(-sum_{j<i} sigma_j d_j).

    Args:
        density: sigma [1/m].
        depths: sorted sample depths [m].
        length: metres along the ray per metre of depth (norm of the unit-depth direction).
    """
    spacing = torch.diff(depths, dim=-1)
    spacing = torch.cat([spacing, spacing.median(-1, keepdim=True).values], dim=-1)
    optical = density * spacing * length[..., None]
    before = torch.cumsum(optical, dim=-1) - optical
    return (1 - torch.exp(-optical)) * torch.exp(-before)


def stratified(
    entry: Float[Tensor, "*n"], exit_: Float[Tensor, "*n"], count: int, jitter: bool
) -> Float[Tensor, "*n count"]:
    """Depths in equal bins between entry and exit: bin centres, or random places in the bins."""
    steps = torch.arange(count, device=entry.device, dtype=entry.dtype)
    offset = torch.rand(*entry.shape, count, device=entry.device) if jitter else 0.5
    return entry[..., None] + (exit_ - entry)[..., None] * ((steps + offset) / count)


def importance(
    depths: Float[Tensor, "*n s"], weights: Float[Tensor, "*n s"], count: int
) -> Float[Tensor, "*n count"]:
    """Deterministic depths distributed as the weights of a coarse pass (inverse CDF)."""
    middles = (depths[..., 1:] + depths[..., :-1]) / 2
    edges = torch.cat([depths[..., :1], middles, depths[..., -1:]], dim=-1)
    cdf = torch.cumsum(weights + 1e-4, dim=-1)
    cdf = torch.cat([torch.zeros_like(cdf[..., :1]), cdf / cdf[..., -1:]], dim=-1)
    steps = torch.arange(count, device=depths.device, dtype=depths.dtype)
    targets = ((steps + 0.5) / count).expand(*depths.shape[:-1], count).contiguous()
    upper = torch.searchsorted(cdf.contiguous(), targets, right=True).clamp(1, depths.shape[-1])
    low_cdf, high_cdf = cdf.gather(-1, upper - 1), cdf.gather(-1, upper)
    low, high = edges.gather(-1, upper - 1), edges.gather(-1, upper)
    return low + (high - low) * (targets - low_cdf) / (high_cdf - low_cdf).clamp_min(1e-6)


def expected_depth(
    weights: Float[Tensor, "*n s"], depths: Float[Tensor, "*n s"]
) -> Float[Tensor, "*n"]:
    """Mean depth under the weights [m]."""
    return (weights * depths).sum(-1) / weights.sum(-1).clamp_min(1e-6)
