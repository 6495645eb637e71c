"""The workspace builds, installs and tests with colcon, as on a robot PC."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from njf_bringup.graph import load_graph

ROOT = Path(__file__).parents[1]
BASE = ROOT / "build" / "colcon"
EXECUTABLES = {("njf_bringup", "njf")} | {
    (node.package, node.executable) for node in load_graph().nodes if not node.external
}
PACKAGES = sorted({package for package, _ in EXECUTABLES})
QUICK = "test_graph or test_safety or test_frames or test_camera_places or test_masks"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run(command: str) -> str:
    """Run a shell command with the tools of this Python's environment."""
    tools = {"AMENT_PREFIX_PATH": sys.prefix, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=os.environ | tools,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-4000:]
    return result.stdout


@pytest.fixture(scope="module")
def workspace() -> Path:
    """An install folder made from src/."""
    run(
        f"colcon --log-base {BASE}/log build --base-paths src --merge-install "
        f"--build-base {BASE}/build --install-base {BASE}/install "
        "--cmake-args -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF"
    )
    return BASE / "install"


def test_every_node_and_the_shared_files_are_installed(workspace: Path) -> None:
    for package, executable in EXECUTABLES:
        assert os.access(workspace / "lib" / package / executable, os.X_OK)
        assert (workspace / "share" / "ament_index/resource_index/packages" / package).exists()
    share = workspace / "share" / "njf_bringup"
    for folder in ("config", "launch", "checkpoints"):
        for source in (ROOT / folder).glob("**/*"):
            if source.is_file() and source.suffix != ".pyc":
                installed = share / source.relative_to(ROOT)
                assert installed.read_bytes() == source.read_bytes()


def test_stand_ins_stay_out_of_the_workspace(workspace: Path) -> None:
    assert not list(workspace.glob("**/cv_bridge"))
    assert not list(workspace.glob("**/tf2_msgs"))


def test_installed_code_runs_from_the_workspace(workspace: Path) -> None:
    where = "import njf_control.robot as r, njf_msgs.msg as m; print(r.__file__, m.__file__)"
    assert run(f'. {workspace}/setup.bash && python -c "{where}"').count(str(workspace)) == 2
    assert "Usage" in run(f". {workspace}/setup.bash && {workspace}/lib/njf_bringup/njf --help")


def test_colcon_test_runs_every_package(workspace: Path) -> None:
    reports = [BASE / "build" / package / "pytest.xml" for package in PACKAGES]
    for report in reports:
        report.unlink(missing_ok=True)
    run(
        f". {workspace}/setup.bash && colcon --log-base {BASE}/log test --base-paths src "
        f"--merge-install --build-base {BASE}/build --install-base {workspace} "
        f"--packages-select {' '.join(PACKAGES)} --python-testing pytest "
        f"--pytest-args -k '{QUICK}' --return-code-on-test-failure"
    )
    for report in reports:
        suite = ElementTree.parse(report).getroot().find("testsuite")
        assert suite is not None and int(suite.attrib["tests"]) > 2, report
