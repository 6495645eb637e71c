"""RAFT as a flow estimator, for machines that have torchvision (and better a GPU).

Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020, in
torchvision's implementation with its weights (raft_large, C_T_SKHT_V2), which are downloaded when
first used. Only the code around the network has been tried, with another network in its place; the
real weights never were. Measure it on your images before you prefer it to `DisFlow`.
"""

import importlib
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8

from njf_perception.errors import ConfigError
from njf_training.derive import EstimatorFactory
from njf_training.flow import DisFlow

SMALLEST_PX = 128  # torchvision's RAFT needs at least this much on either side
MULTIPLE_PX = 8  # and sizes that its eightfold smaller features divide


class RaftFlow:
    """See `njf_training.flow.FlowEstimator`; images are enlarged where the network needs it."""

    def __init__(self, updates: int = 20, device: str | None = None) -> None:
        """Load nothing yet; the first image does.

        Args:
            updates: of the recurrent refinement.
            device: of torch; None takes a GPU where there is one.
        """
        self._updates = updates
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def _network(self) -> Any:
        models = raft_models()
        weights = models.Raft_Large_Weights.C_T_SKHT_V2
        return models.raft_large(weights=weights, progress=False).to(self._device).eval()

    def estimate(
        self, before: UInt8[np.ndarray, "h w 3"], after: UInt8[np.ndarray, "h w 3"]
    ) -> Float32[np.ndarray, "h w 2"]:
        """See `FlowEstimator`."""
        height, width = before.shape[:2]
        size = _network_size(width), _network_size(height)
        with torch.inference_mode():
            first, second = (self._prepared(image, size) for image in (before, after))
            last = self._network(first, second, num_flow_updates=self._updates)[-1]
        flow = np.moveaxis(last[0].float().cpu().numpy(), 0, -1)
        flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
        return (flow * np.array([width / size[0], height / size[1]])).astype(np.float32)

    def _prepared(self, image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]) -> torch.Tensor:
        """Resized to `size` (width, height), values -1 to 1, [1, 3, height, width]."""
        resized = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR))
        tensor = torch.from_numpy(np.ascontiguousarray(np.moveaxis(resized, -1, 0)))
        return (tensor[None].float() / 127.5 - 1).to(self._device)


def _network_size(length: int) -> int:
    return max(SMALLEST_PX, -(-length // MULTIPLE_PX) * MULTIPLE_PX)


def raft_models() -> Any:
    """Torchvision's module of flow networks.

    Raises:
        ConfigError: torchvision is not installed.
    """
    try:
        return importlib.import_module("torchvision.models.optical_flow")
    except ImportError as error:
        raise ConfigError(
            f"the flow estimator raft needs torchvision ({error}). Install the one for torch "
            f"{torch.__version__} with `pip install torchvision`, or use --flow dis."
        ) from None


def flow_estimator(name: str) -> EstimatorFactory:
    """The maker of a flow estimator, "dis" or "raft".

    Raises:
        ConfigError: it is unknown or cannot be made here.
    """
    if name == "dis":
        return DisFlow
    if name == "raft":
        raft_models()
        return RaftFlow
    raise ConfigError(f"unknown flow estimator '{name}'; known: dis, raft.")
