"""RAFT around its network: what goes in and out, with a network of our own in its place."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from njf_perception.errors import ConfigError
from njf_training.flow import DisFlow, FlowEstimator
from njf_training.flow_raft import RaftFlow, flow_estimator

SHIFT_PX = (3.0, -1.5)


class FakeNetwork(torch.nn.Module):
    """Notes what it was given and finds the same shift everywhere [px of its input]."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []
        self.updates = 0

    def forward(
        self, first: torch.Tensor, second: torch.Tensor, num_flow_updates: int
    ) -> list[torch.Tensor]:
        self.seen, self.updates = [first, second], num_flow_updates
        flow = torch.tensor(SHIFT_PX)[None, :, None, None].expand(1, 2, *first.shape[2:])
        return [torch.zeros_like(flow), flow]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
    network = FakeNetwork()
    module: Any = ModuleType("torchvision.models.optical_flow")
    module.Raft_Large_Weights = SimpleNamespace(C_T_SKHT_V2="weights")

    def raft_large(weights: str, progress: bool) -> FakeNetwork:
        assert weights == "weights" and not progress
        return network

    module.raft_large = raft_large
    for name in ("torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "torchvision.models.optical_flow", module)
    return network


def test_flow_of_the_last_update_in_pixels_of_the_given_images(network: FakeNetwork) -> None:
    """100 x 60 px become 128 x 128 for the network, so its flow shrinks by as much."""
    image = np.random.default_rng(0).integers(0, 255, (60, 100, 3), np.uint8)
    estimator = RaftFlow(updates=5, device="cpu")
    assert isinstance(estimator, FlowEstimator)
    flow = estimator.estimate(image, image)
    assert flow.shape == (60, 100, 2) and flow.dtype == np.float32
    assert np.allclose(flow, [3.0 * 100 / 128, -1.5 * 60 / 128], atol=1e-5)
    assert network.updates == 5 and not network.training


def test_the_network_gets_rgb_between_minus_one_and_one(network: FakeNetwork) -> None:
    image = np.zeros((128, 136, 3), np.uint8)
    image[..., 0] = 255
    RaftFlow(device="cpu").estimate(image, image)
    assert network.seen[0].shape == (1, 3, 128, 136)
    assert network.seen[1][0, :, 5, 5].tolist() == [1.0, -1.0, -1.0]


def test_without_torchvision_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ConfigError, match="pip install torchvision"):
        flow_estimator("raft")


def test_estimators_go_by_name(network: FakeNetwork) -> None:
    assert flow_estimator("dis") is DisFlow
    assert flow_estimator("raft") is RaftFlow
    with pytest.raises(ConfigError, match="unknown flow estimator 'horn'; known: dis, raft"):
        flow_estimator("horn")
