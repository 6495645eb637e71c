"""Instants by their names."""

import shlex

import numpy as np
import pytest

from njf_perception.calibration.detect import Sighting
from njf_perception.calibration.instants import leave_out, listed, skip_options
from njf_perception.calibration.views import View
from njf_perception.errors import ConfigError

NOTHING = Sighting(np.zeros(0, np.int64), np.zeros((0, 4, 2)))
VIEWS = [View(camera, f"{i:03d}", NOTHING) for camera in "ab" for i in range(20)]


def test_instants_are_left_out_of_all_cameras() -> None:
    kept = leave_out(VIEWS, ["003", "019"])
    assert len(kept) == 36 and not {view.instant for view in kept} & {"003", "019"}
    assert leave_out(VIEWS, []) == VIEWS


def test_unknown_instants_are_named_once_with_those_that_are_there() -> None:
    message = (
        r"--skip 99 lunch: there is no such instant, expected one of 000, .* 011, and 8 more\."
    )
    with pytest.raises(ConfigError, match=message):
        leave_out(VIEWS, ["003", "99", "lunch"])


def test_names_are_listed_and_pasted() -> None:
    assert listed(["b", "a"]) == "a, b" and listed([]) == "none"
    words = shlex.split(skip_options({"my pose", "000"}))
    assert words == ["--skip", "000", "--skip", "my pose"]
