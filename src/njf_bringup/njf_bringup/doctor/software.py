"""Python, packages, messages and DDS."""

import importlib.util
import re
import sys
from importlib import metadata
from pathlib import Path

from njf_bringup.doctor import mend
from njf_bringup.doctor.check import Check
from njf_bringup.paths import root
from njf_control.robot import RobotConfig
from njf_perception.errors import NjfError

OLDEST_PYTHON = (3, 11)
# Distribution names; rclpy is the ROS package's own name on both lanes.
PACKAGES = (
    "rclpy",
    "numpy",
    "torch",
    "mujoco",
    "daqp",
    "rosbags",
    "mcap",
)
FOR_DRIVERS = {
    "dynamixel": ("pyserial",),
    "allegro": ("python-can",),
    "vtem": ("pymodbus",),
    "pressure_board": ("pyserial",),
}
MODULES = ("cv2",)  # their distributions are named differently by apt and pip


def python() -> Check:
    """The interpreter is new enough."""
    found = f"{sys.version_info.major}.{sys.version_info.minor} at {sys.executable}"
    ok = sys.version_info >= OLDEST_PYTHON
    return Check("python", "ok" if ok else "failed", found, mend.python())


def packages(robot: RobotConfig) -> Check:
    """The packages that the nodes and the robot's driver import are installed."""
    wanted = (*PACKAGES, *FOR_DRIVERS.get(robot.driver.kind, ()))
    missing = [name for name in wanted if not _version(name)]
    missing += [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing:
        command = mend.ros() if missing == ["rclpy"] else mend.install()
        return Check("packages", "failed", f"missing: {', '.join(missing)}", command)
    return Check("packages", "ok", ", ".join(f"{name} {_version(name)}" for name in wanted))


def versions(constraints: Path | None = None) -> Check:
    """Which of the packages differ from those that the tests ran with; others may do as well."""
    path = constraints or root() / "constraints.txt"
    if not path.is_file():
        return Check("versions", "note", "no constraints.txt to compare with")
    tested = dict(re.findall(r"^([\w.-]+)==(\S+)$", path.read_text(), re.MULTILINE))
    differ = [
        f"{name} {_version(name)} (tested {tested[name]})"
        for name in PACKAGES
        # 2.13.0+cpu is 2.13.0, built for something.
        if name in tested and _version(name).partition("+")[0] not in ("", tested[name])
    ]
    if differ:
        return Check("versions", "note", f"differ from constraints.txt: {', '.join(differ)}")
    return Check("versions", "ok", "those of constraints.txt")


def messages() -> Check:
    """The project's own messages have been built."""
    spec = importlib.util.find_spec("njf_msgs")
    if spec is None or spec.origin is None:
        return Check("njf_msgs", "failed", "not built", mend.messages())
    return Check("njf_msgs", "ok", str(Path(spec.origin).parent))


def dds_profile() -> Check:
    """The Fast DDS profile that holds images in shared memory is there."""
    path = root() / "config" / "fastdds.xml"
    if not path.is_file():
        return Check(
            "dds profile", "failed", f"{path} is missing", "git checkout config/fastdds.xml"
        )
    return Check("dds profile", "ok", str(path))


def dds_round_trip() -> Check:
    """A message of our own goes out and comes back through DDS."""
    try:
        from njf_bringup.nodes.round_trip import round_trip_ms

        times_ms = round_trip_ms()
    except (NjfError, RuntimeError) as error:  # RuntimeError: rcl's
        left = "rm -f /dev/shm/fastrtps_*"
        command = f"unset ROS_DOMAIN_ID FASTRTPS_DEFAULT_PROFILES_FILE; {left}; njf doctor"
        return Check("dds round trip", "failed", str(error), command)
    return Check("dds round trip", "ok", f"{times_ms:.1f} ms for one VGA image (median of 20)")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
