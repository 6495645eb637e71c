"""The verbs of saved goals that need no robot."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from njf_bringup.cli import app
from njf_bringup.commands.demonstrate import parse_points
from njf_bringup.goals.picture import read_picture
from njf_bringup.paths import root
from njf_perception.errors import ConfigError, DataError
from njf_perception.video_file import write_video

TABLE = "time_s,point,u_px,v_px\n" + "".join(
    f"{time},{point},{10 * point + 90 * time},{20 * point}\n"
    for time in (0, 1)
    for point in range(4)
)


def njf(*arguments: str) -> Result:
    answer = CliRunner().invoke(app, arguments)
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tracks.csv").write_text(TABLE)


def test_a_table_is_imported_listed_shown_and_deleted() -> None:
    said = njf("goal", "import", "swing", "tracks.csv", "--note", "from a tracker").stdout
    assert "saved 'swing', 4 points at 2 times" in said
    listed = njf("goal", "list").stdout
    assert "swing" in listed and "csv" in listed and "from a tracker" in listed
    assert "1 goals in goals/finger" in listed
    shown = njf("goal", "show", "swing").stdout
    assert "csv of finger, camera_0 320 x 240 px" in shown
    assert read_picture(Path("goals/finger/swing/picture.png")).shape == (480, 640, 3)
    assert "deleted" in njf("goal", "delete", "swing").stdout
    assert "0 goals" in njf("goal", "list").stdout


def test_a_table_of_too_few_points_is_refused_and_not_saved() -> None:
    rows = [line for line in TABLE.splitlines(True) if ",3," not in line[:4]]
    Path("few.csv").write_text("".join(rows))
    with pytest.raises(DataError, match=r"few\.csv has 3 points, at least 4 are needed"):
        njf("goal", "import", "swing", "few.csv")
    assert "0 goals" in njf("goal", "list").stdout


def test_the_example_of_the_documents_is_a_goal() -> None:
    said = njf("goal", "import", "swing", str(root() / "docs" / "examples" / "tracks.csv")).stdout
    assert "saved 'swing', 8 points at 7 times" in said


def test_a_picture_file_is_a_goal_and_a_broken_goal_is_listed_as_such() -> None:
    cv2.imwrite("pose.png", np.full((240, 320, 3), 90, np.uint8))
    assert "saved 'pose'" in njf("goal", "save", "pose", "--image", "pose.png").stdout
    Path("goals/finger/pose/goal.yaml").write_text("kind: dance")
    assert "broken: " in njf("goal", "list").stdout


def test_a_name_that_is_taken_is_told_before_anything_is_done() -> None:
    njf("goal", "import", "swing", "tracks.csv")
    for verb in (("goal", "save"), ("demonstrate",)):
        with pytest.raises(ConfigError, match="exists. Choose another name"):
            njf(*verb, "swing")
    njf("goal", "import", "swing", "tracks.csv", "--force")


def test_a_film_of_another_size_and_wrong_points_are_refused() -> None:
    write_video(Path("film.avi"), [np.zeros((48, 64, 3), np.uint8)] * 3, 20.0)
    with pytest.raises(DataError, match="images of 64 x 48 px, camera_0 of 320 x 240"):
        njf("demonstrate", "wave", "--video", "film.avi")
    with pytest.raises(ConfigError, match=r"--points is '1,2,3'; expected column,row"):
        njf("demonstrate", "wave", "--video", "film.avi", "--points", "1,2,3")
    for wrong in ("1", "a,b", "nan,2"):
        with pytest.raises(ConfigError, match="expected column,row of each point"):
            parse_points([wrong])
    np.testing.assert_array_equal(parse_points(["1,2 3,4.5", "6,7"]), [[1, 2], [3, 4.5], [6, 7]])
    assert parse_points([]) is None
    assert not Path("goals").exists()
