"""`njf calibrate`, whole: rendered folders and bags in, files out or one sentence."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Never

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from njf_bringup.calibration.print_board import board_print
from njf_bringup.calibration.request import Request
from njf_bringup.calibration.run import run
from njf_bringup.cli import app
from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import TagDetector
from njf_perception.calibration.files import camera_info_text, load_camera_poses
from njf_perception.calibration.lens import Lens
from njf_perception.cameras.calibration import load_calibration
from njf_perception.errors import ConfigError, NjfError
from njf_sim.board_pictures import board_picture
from njf_sim.board_rig import BoardRig, board_rig
from njf_training.bag import BagWriter, message_types

CAMERAS = ["camera_00", "camera_01"]


@pytest.fixture(scope="module")
def rig() -> BoardRig:
    return board_rig(2, 6, np.random.default_rng(3))


@pytest.fixture(scope="module")
def rendered(rig: BoardRig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("views"), np.random.default_rng(0)
    for name, lens in rig.lenses.items():
        (folder / name).mkdir()
        (folder / f"{name}.yaml").write_text(camera_info_text(name, lens))
    for camera, instant, T in rig.seen():
        image = board_picture(rig.board, rig.lenses[camera], T, rng)
        cv2.imwrite(str(folder / camera / f"{instant}.png"), image)
    return folder


@pytest.fixture
def views(rendered: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(rendered, tmp_path / "views"))


def request(out: Path, **changes: Any) -> Request:
    values: dict = {"camera_info": changes.get("folder")}
    return Request(Board(), out, **(values | changes))


def check_poses(rig: BoardRig, out: Path, bound_m: float) -> None:
    poses = load_camera_poses(out / "camera_poses.yaml")
    assert poses.parent_frame == "world" and list(poses.cameras) == CAMERAS
    found = {name: pose.matrix for name, pose in poses.cameras.items()}
    assert rig.errors(found)[0].max() < bound_m
    assert poses.cameras["camera_00"].frame == "camera_00_optical_frame"


def test_folders_become_files_that_the_nodes_load(
    rig: BoardRig, views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run(request(out, folder=views))
    check_poses(rig, out, 2e-3)
    np.testing.assert_array_equal(
        load_calibration(out / "camera_01.yaml").intrinsics, rig.lenses["camera_01"].K
    )
    parameters = yaml.safe_load((out / "camera_params.yaml").read_text())
    driver = parameters["/**/camera_00_driver"]["ros__parameters"]
    assert driver == {"calibration": str(out / "camera_00.yaml")}
    picture = cv2.imread(str(out / "calibration.png"))
    assert picture is not None and picture.shape[1] > 1000 and picture.std() > 10
    said = capsys.readouterr().out
    assert "camera_01" in said and "coverage" in said and " px  at [" in said
    assert "5 instants: 000, 001, 002, 003, 005\n" in said
    assert "world: instant 000, seen by 2 of 2 cameras\n" in said


def test_a_second_run_overwrites_only_when_told(views: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "camera_poses.yaml").write_text("mine")
    with pytest.raises(NjfError, match=r"camera_poses\.yaml exists already.*--overwrite"):
        run(request(out, folder=views))
    assert (out / "camera_poses.yaml").read_text() == "mine"
    run(request(out, folder=views, overwrite=True))
    assert "parent_frame" in (out / "camera_poses.yaml").read_text()


def spoil_size(views: Path) -> None:
    image = cv2.imread(str(views / "camera_01" / "000.png"))
    assert image is not None
    cv2.imwrite(str(views / "camera_01" / "000.png"), cv2.resize(image, (320, 240)))


def spoil_file(views: Path) -> None:
    (views / "camera_01" / "000.png").write_text("no image")


def spoil_info(views: Path) -> None:
    (views / "camera_01.yaml").unlink()


def spoil_numbers(views: Path) -> None:
    text = (views / "camera_01.yaml").read_text()
    (views / "camera_01.yaml").write_text(text.replace("data: [0.0, 0.0", "data: [.nan, 0.0", 1))


def mirror(views: Path) -> None:
    for path in (views / "camera_01").glob("*.png"):
        image = cv2.imread(str(path))
        assert image is not None
        cv2.imwrite(str(path), image[:, ::-1])


def blur(views: Path) -> None:
    for path in (views / "camera_01").glob("*.png"):
        image = cv2.imread(str(path))
        assert image is not None
        cv2.imwrite(str(path), cv2.GaussianBlur(image, (0, 0), 2.6))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_size, "camera_01/000.png has 320 x 240 px, but its camera_info is for 640 x 480"),
        (spoil_file, "camera_01/000.png is no image that can be read"),
        (spoil_info, r"camera_01\.yaml: no such file"),
        (spoil_numbers, "camera_01.yaml: 'distortion_coefficients.data.0'.*finite"),
        (mirror, "camera_01: .* images show the board's tags mirrored"),
        (blur, "camera_01: .* usable views of .* images.*larger, sharper and brighter"),
    ],
)
def test_a_refusal_writes_nothing(
    views: Path, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(views)
    with pytest.raises(NjfError, match=message):
        run(request(tmp_path / "out", folder=views))
    assert not (tmp_path / "out").exists()


def test_an_instant_is_left_out(
    rig: BoardRig, views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (views / "camera_01" / "005.png").write_text("no image")
    with pytest.raises(ConfigError, match=r"--skip 6: .* one of 000, 001, 002, 003, 005\."):
        run(request(tmp_path / "out", folder=views, skip=["6", "005"]))
    with pytest.raises(ConfigError, match="--skip leaves out 000, which --rest wants"):
        run(request(tmp_path / "out", folder=views, skip=["000"], rest="000"))
    words = ["calibrate", "--views", views, "--out", tmp_path / "out", "--skip", "005"]
    answer = CliRunner().invoke(app, [str(word) for word in words])
    assert answer.exit_code == 0, answer.output
    check_poses(rig, tmp_path / "out", 2e-3)
    with pytest.raises(NjfError, match="camera_00: 2 usable views"):
        run(request(tmp_path / "other", folder=views, skip=["000", "005"]))
    # The world that was lost with its instant is another one, and that is said.
    assert "world: instant 001, seen by 1 of 2 cameras\n" in capsys.readouterr().out


def test_what_can_be_known_before_watching_is_refused_before(tmp_path: Path) -> None:
    for name in ("camera_01.yaml", "camera_params.yaml"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(NjfError, match=rf"{name} exists already"):
            run(request(tmp_path, live=CAMERAS, intrinsics=True))
        (tmp_path / name).unlink()
    many = [f"camera_{index}" for index in range(13)]
    with pytest.raises(ConfigError, match="13 cameras, expected at most 12"):
        run(request(tmp_path / "out", live=many))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NjfError, match="cannot be written: .*file is no folder"):
        run(request(tmp_path / "file", live=CAMERAS))


def test_a_bag_is_refused_before_its_images_are_looked_at(
    rig: BoardRig, rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_: object) -> Never:
        raise AssertionError("looked")

    monkeypatch.setattr("njf_bringup.calibration.sources.bag_sightings", look)
    distorted = {n: replace(lens, distortion=np.full(5, 0.01)) for n, lens in rig.lenses.items()}
    write_bag(replace(rig, lenses=distorted), rendered, tmp_path / "bag")
    out = tmp_path / "out"
    out.mkdir()
    (out / "camera_01.yaml").write_text("mine")
    with pytest.raises(NjfError, match=r"camera_01\.yaml exists already"):
        run(request(out, bag=tmp_path / "bag", intrinsics=True))
    uncalibrated = {name: replace(lens, K=0 * lens.K) for name, lens in rig.lenses.items()}
    write_bag(replace(rig, lenses=uncalibrated), rendered, tmp_path / "uncalibrated")
    with pytest.raises(NjfError, match="camera_00: camera_info has K = .*--intrinsics"):
        run(request(out, bag=tmp_path / "uncalibrated"))


def test_a_bag_is_cut_into_its_rests(
    rig: BoardRig, rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bag(rig, rendered, tmp_path / "bag")
    with pytest.raises(ConfigError, match=r"--skip 004: .* expected one of 0000000, 0001500, 00"):
        run(request(tmp_path / "out", bag=tmp_path / "bag", skip=["004"]))
    run(request(tmp_path / "out", bag=tmp_path / "bag", skip=["0007500"]))
    assert "4 instants: 0000000, 0001500, 0003000, 0004500\n" in capsys.readouterr().out
    check_poses(rig, tmp_path / "out", 2e-3)
    # A bag has images as they were published, rectified: they say nothing of the lenses.
    assert not (tmp_path / "out" / "camera_00.yaml").exists()
    with pytest.raises(NjfError, match=r"images of camera_00 are rectified.*undistort: false"):
        run(request(tmp_path / "lenses", bag=tmp_path / "bag", intrinsics=True))


def write_bag(rig: BoardRig, rendered: Path, path: Path) -> None:
    """Each instant for half a second, then a second in which nothing is seen."""
    types = message_types()
    image_type, info_type = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"
    writer = BagWriter(path)
    for name, lens in rig.lenses.items():
        writer.add_topic(f"/lab/{name}/image_raw", image_type)
        writer.add_topic(f"/lab/{name}/camera_info", info_type)
        info = camera_info(types.types, lens, header(types.types, 0))
        writer.write(f"/lab/{name}/camera_info", 0, bytes(types.serialize_cdr(info, info_type)))
    for index, instant in enumerate(rig.T_world_board):
        for repeat in range(5):
            time_ns = (index * 15 + repeat) * 100_000_000
            for name in rig.lenses:
                gray = cv2.imread(str(rendered / name / f"{instant}.png"), cv2.IMREAD_GRAYSCALE)
                pixels = np.full((480, 640), 128, np.uint8) if gray is None else gray
                message = types.types[image_type](
                    header=header(types.types, time_ns),
                    height=480,
                    width=640,
                    encoding="mono8",
                    is_bigendian=0,
                    step=640,
                    data=np.asarray(pixels, np.uint8).ravel(),
                )
                data = bytes(types.serialize_cdr(message, image_type))
                writer.write(f"/lab/{name}/image_raw", time_ns, data)
    writer.close()


def header(types: dict, time_ns: int) -> Any:
    stamp = types["builtin_interfaces/msg/Time"](*divmod(time_ns, 10**9))
    return types["std_msgs/msg/Header"](stamp=stamp, frame_id="eye")


def camera_info(types: dict, lens: Lens, head: Any) -> Any:
    region = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    P = np.hstack([lens.K, np.zeros((3, 1))])
    return types["sensor_msgs/msg/CameraInfo"](
        header=head,
        height=480,
        width=640,
        distortion_model="plumb_bob",
        d=lens.distortion,
        k=lens.K.ravel(),
        r=np.eye(3).ravel(),
        p=P.ravel(),
        binning_x=0,
        binning_y=0,
        roi=region,
    )


def test_a_print_has_the_tags_at_their_places() -> None:
    board = Board(columns=2, rows=2)
    page = cv2.imdecode(
        np.frombuffer(board_print(board, Path("board.png")), np.uint8), cv2.IMREAD_GRAYSCALE
    )
    assert page is not None
    seen = TagDetector(board)(np.asarray(page, np.uint8))
    np.testing.assert_array_equal(seen.ids, board.ids)
    mm = 25.4 / 600 * (seen.corners_px + 0.5)
    assert np.ptp(mm[..., 0]) == pytest.approx(81.0, abs=0.1)
    places = 1e3 * (board.corners_m[..., :2] - board.corners_m[0, 0, :2]) * [1, -1]
    np.testing.assert_allclose(mm - mm[0, 0], places, atol=0.1)


def test_vector_prints_have_the_size_of_the_page() -> None:
    pdf = board_print(Board(), Path("board.pdf"))
    assert b"/MediaBox [ 0 0 552.7559055118 708.6614173228 ]" in pdf  # 195 x 250 mm, in points
    assert b'width="552.755906pt" height="708.661417pt"' in board_print(Board(), Path("b.svg"))
    with pytest.raises(ConfigError, match=r"cannot print to '\.docx'.*\.pdf, \.svg or \.png"):
        board_print(Board(), Path("board.docx"))


def test_the_command_prints_a_board_and_asks_for_views(tmp_path: Path) -> None:
    page = tmp_path / "board.svg"
    answer = CliRunner().invoke(app, ["calibrate", "--print-board", str(page)])
    assert answer.exit_code == 0, answer.output
    assert "171.0 x 216.0 mm" in answer.output and page.exists()
    assert Board(**yaml.safe_load(page.with_suffix(".yaml").read_text())) == Board()
    answer = CliRunner().invoke(app, ["calibrate", "--out", str(tmp_path / "out")])
    assert isinstance(answer.exception, ConfigError)
    assert "give one of --views, a folder of images, --bag and --live" in str(answer.exception)
