"""Rigs with known poses."""

import numpy as np
import pytest

from njf_sim.board_rig import BoardRig, board_rig


@pytest.fixture(scope="module")
def rig() -> BoardRig:
    return board_rig(12, 20, np.random.default_rng(1))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
