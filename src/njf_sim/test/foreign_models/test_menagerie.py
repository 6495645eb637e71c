"""Robots of MuJoCo Menagerie by name, fetched by a package that need not be installed."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError
from njf_sim.menagerie import menagerie_file
from njf_sim.robot_model import RobotModel


@pytest.fixture
def package(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What of the package is used, over the checkout, in the package's place."""

    class MenagerieError(Exception):
        pass

    def xml(entry: str) -> Path:
        if entry == "hand":
            raise MenagerieError("no network")
        return checkout / "kuka_iiwa_14" / f"{entry}.xml"

    robot = SimpleNamespace(
        default_model="iiwa14", entry_names=("hand", "iiwa14", "scene"), xml=xml
    )
    fake = ModuleType("mujoco_menagerie")
    fake.__dict__.update(
        MenagerieError=MenagerieError,
        names=lambda: ["franka_emika_panda", "kuka_iiwa_14", "wonik_allegro"],
        get={"kuka_iiwa_14": robot}.__getitem__,
    )
    monkeypatch.setitem(sys.modules, "mujoco_menagerie", fake)
    return fake


@pytest.mark.usefixtures("package")
def test_a_name_is_the_robot_alone_and_a_model_may_be_chosen(checkout: Path) -> None:
    folder = checkout / "kuka_iiwa_14"
    assert menagerie_file("menagerie:kuka_iiwa_14") == folder / "iiwa14.xml"
    assert menagerie_file("menagerie:kuka_iiwa_14/scene") == folder / "scene.xml"
    assert menagerie_file("menagerie:kuka_iiwa_14/scene.xml") == folder / "scene.xml"


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("mjcf", "words"),
    [
        ("menagerie:kuka", "no robot 'kuka'; close: kuka_iiwa_14"),
        ("menagerie:allegro_hand", "no robot 'allegro_hand'; close: wonik_allegro"),
        ("menagerie:xyz", "no robot 'xyz'; `mujoco-menagerie names` lists all"),
        ("menagerie:kuka_iiwa_14/iiwa", "no model 'iiwa'; its models: hand, iiwa14, scene"),
        ("menagerie:kuka_iiwa_14/hand", "cannot be had: no network.*MENAGERIE_ROOT"),
    ],
)
def test_what_cannot_be_had_is_said_with_what_can(mjcf: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        menagerie_file(mjcf)


def test_without_the_package_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, describe: Callable[..., RobotConfig]
) -> None:
    monkeypatch.setitem(sys.modules, "mujoco_menagerie", None)
    with pytest.raises(ConfigError, match="pip install mujoco-menagerie"):
        RobotModel.from_robot(describe("menagerie:kuka_iiwa_14"))


def test_the_real_package_finds_a_robot_in_a_checkout(
    checkout: Path, describe: Callable[..., RobotConfig]
) -> None:
    pytest.importorskip("mujoco_menagerie")
    model = RobotModel.from_robot(describe("menagerie:kuka_iiwa_14"))
    model.settle(np.array([0.0, np.pi / 2]))
    np.testing.assert_allclose(model.tip, [0.0, 0.0, -0.14], atol=1e-9)
    with pytest.raises(ConfigError, match="close: kuka_iiwa_14"):
        menagerie_file("menagerie:kuka_iiwa")
    with pytest.raises(ConfigError, match="wonik_allegro.*MENAGERIE_ROOT"):
        menagerie_file("menagerie:wonik_allegro")
