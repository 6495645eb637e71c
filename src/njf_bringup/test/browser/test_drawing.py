"""What is drawn over the picture."""

import xml.etree.ElementTree as ElementTree

import numpy as np

from njf_bringup.browser.drawing import overlay_svg
from njf_bringup.browser.view import ErrorLog
from njf_control.visualization.overlay import Aim


def elements(svg: str) -> list[tuple[str, str]]:
    root = ElementTree.fromstring(f"<svg>{svg}</svg>")
    return [(child.tag, child.get("stroke") or child.get("fill") or "") for child in root]


def test_nothing_to_show_is_nothing() -> None:
    assert overlay_svg(None, [], None) == ""


def test_sliders_show_arrows_of_what_moves() -> None:
    begin = np.array([[10.0, 10.0], [20.0, 20.0]])
    svg = overlay_svg(None, [], (begin, np.array([[5.0, 0.0], [0.1, 0.0]])))
    assert elements(svg) == [("path", "rgb(255,160,20)")]
    assert "M10.5 10.5 L15.5 10.5" in svg  # SVG counts from the pixel's corner


def test_a_goal_shows_points_targets_and_the_way_between() -> None:
    now, target = np.zeros((3, 2)), np.array([[9.0, 0.0], [0.0, 9.0], [np.nan, 0.0]])
    tags = [tag for tag, _ in elements(overlay_svg(Aim(now, target, np.ones(3, bool)), [], None))]
    assert tags == ["path"] * 2 + ["circle"] * 4


def test_drags_are_numbered() -> None:
    pair = np.array([10.0, 10.0]), np.array([40.0, 10.0])
    svg = overlay_svg(None, [pair, pair], None)
    root = ElementTree.fromstring(f"<svg>{svg}</svg>")
    assert [text.text for text in root.iter("text")] == ["1", "2"]


def test_errors_begin_anew_with_a_new_goal() -> None:
    log = ErrorLog()
    aim = Aim(np.zeros((2, 2)), np.array([[3.0, 4.0], [0.0, 1.0]]), np.ones(2, bool))
    for stamp_ns in (10_000_000_000, 10_100_000_000):
        log.add(stamp_ns, aim)
    assert np.allclose(log.steps, [(0.0, 3.0), (0.1, 3.0)])
    log.add(20_000_000_000, Aim(aim.now_px, aim.target_px, np.array([True, False])))
    assert log.steps == ((0.0, 5.0),)
    log.add(5_000_000_000, aim)  # a bag that is played again
    assert log.steps == ((0.0, 3.0),)
    log.add(5_100_000_000, Aim(aim.now_px, aim.target_px, np.zeros(2, bool)))
    assert len(log.steps) == 1
