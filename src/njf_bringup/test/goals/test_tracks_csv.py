"""Tables of tracks: what is read, and one sentence with the line for what is wrong."""

from pathlib import Path

import numpy as np
import pytest

from njf_bringup.goals import PointPaths, read_tracks_csv, write_tracks_csv
from njf_perception.errors import DataError

HEAD = "time_s,point,u_px,v_px\n"
GOOD = HEAD + "0,7,10,20\n0,9,11,21\n0.5,7,12,22\n1,9,13,23\n1,7,14,24\n"


def read(tmp_path: Path, text: str) -> PointPaths:
    path = tmp_path / "tracks.csv"
    path.write_text(text)
    return read_tracks_csv(path, 320, 240)


def test_a_table_becomes_paths_by_time_and_point(tmp_path: Path) -> None:
    paths = read(tmp_path, GOOD)
    assert paths.ids.tolist() == [7, 9] and paths.times_s.tolist() == [0.0, 0.5, 1.0]
    assert paths.visible.tolist() == [[True, True], [True, False], [True, True]]
    np.testing.assert_allclose(paths.end.points, [[14, 24], [13, 23]])
    assert paths.confidence[paths.visible].tolist() == [1.0] * 5


def test_columns_may_have_any_order_and_what_is_written_is_read(tmp_path: Path) -> None:
    text = "confidence, v_px, u_px, point, time_s\n0.5,20,10,3,0\n,21,11,3,2\n"
    paths = read(tmp_path, text)
    np.testing.assert_allclose(paths.confidence[:, 0], [0.5, 1.0])
    copy = tmp_path / "copy.csv"
    write_tracks_csv(copy, paths)
    again = read_tracks_csv(copy, 320, 240)
    np.testing.assert_array_equal(again.points_px, paths.points_px)
    np.testing.assert_array_equal(again.ids, paths.ids)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "2,7,nan,24\n", "line 7: u_px is nan, expected a finite number"),
        (GOOD + "2,7,,24\n", "line 7: u_px is empty"),
        (GOOD + "2,7,1\n", "line 7: v_px is empty"),
        (GOOD + "2,7,left,24\n", "line 7: u_px is 'left', expected a number"),
        (GOOD + "2,7,1,2,3\n", "line 7: the row has more values than columns"),
        (GOOD + "2,7,320,24\n", r"line 7: point 7 at \(320, 24\) px lies outside the image of 320"),
        (GOOD + "0.7,7,12,24\n", "line 7: time goes back from 1 s to 0.7 s"),
        (GOOD + "2,8,12,24\n", "line 7: point 8 appears at 2 s; every point begins at the first"),
        (GOOD + "1,7,12,24\n", "line 7: point 7 is there twice at 1 s"),
        (GOOD + "2,7.5,12,24\n", "line 7: point is '7.5', expected a whole number"),
        ("time_s,point,u_px\n0,1,2\n", "line 1: column v_px is missing; columns are time_s"),
        (HEAD.replace("v_px", "v_px,hue"), "line 1: column 'hue' is unknown"),
        (HEAD + "0,1,2,3\n", "has 1 rows at 1 times; expected at least two times"),
        ("", "line 1: column time_s is missing"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_all_problems_are_told_but_not_without_end(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: .*; line 9: [^;]*; and 12 more\."):
        read(tmp_path, HEAD + "0,0,inf,0\n" * 20)


def test_no_file_and_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_tracks_csv(tmp_path / "nowhere.csv", 320, 240)
    (tmp_path / "noise.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_tracks_csv(tmp_path / "noise.csv", 320, 240)
