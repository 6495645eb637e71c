"""The board: geometry, and files that describe none."""

from pathlib import Path

import numpy as np
import pytest

from njf_perception.calibration.board import Board, black_squares_m, tag_cells
from njf_perception.config import load_config
from njf_perception.errors import ConfigError


def test_corners_are_where_a_ruler_finds_them() -> None:
    corners = Board().corners_m
    np.testing.assert_allclose(corners[0, 0], [-0.0855, 0.108, 0])  # top left of 171 x 216 mm
    np.testing.assert_allclose(corners[-1, 2], [0.0855, -0.108, 0])
    np.testing.assert_allclose(corners[1, 0] - corners[0, 1], [0.009, 0, 0])
    np.testing.assert_allclose(corners.reshape(-1, 3).mean(0), 0, atol=1e-12)


def test_a_measured_width_scales_every_length() -> None:
    board = Board(measured_width_m=0.1683, origin="first_tag")
    assert board.size_m[0] == pytest.approx(0.1683)
    np.testing.assert_allclose(board.corners_m[0].mean(0), 0, atol=1e-12)
    side = np.linalg.norm(board.corners_m[0, 1] - board.corners_m[0, 0])
    assert side == pytest.approx(0.036 * 0.1683 / 0.171)


def test_tags_have_a_black_border_and_their_own_codes() -> None:
    cells = np.stack([tag_cells(i) for i in range(20)])
    assert cells[:, [0, -1]].all() and cells[:, :, [0, -1]].all()
    assert len(np.unique(cells.reshape(20, -1), axis=0)) == 20
    squares = black_squares_m(Board())
    area = np.linalg.det(squares[:, 1:3] - squares[:, :1])
    assert np.abs(area).sum() == pytest.approx(cells.sum() * (0.036 / 8) ** 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("measured_width_m: 0.3", "1.754 times the width 0.1710 .* this file is of another board"),
        ("first_id: 580", "last id 599, but the family tag36h11 ends at 586"),
        ("tag_size_m: .nan", "tag_size_m"),
        ("tag_size_mm: 36", "unknown key 'tag_size_mm'; valid keys here: .*tag_size_m"),
    ],
)
def test_impossible_boards_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "board.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(path, Board)
