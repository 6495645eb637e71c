"""Command lines of `ros2 bag` for a robot: the same topics as this project's recorder and player.

Options as in ros2bag's verbs record and play of Jazzy.
"""

from pathlib import Path

import yaml

from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError, DataError
from njf_training.recording.playback import Playback
from njf_training.recording.topics import MARK_TOPIC, recorded_topics

CLOCK_HZ = 100
# Chunks of an MCAP file compressed by itself, which every reader of MCAP understands, unlike
# --compression-mode. JPEG and PNG are as small as they get.
_PROFILES = {"raw": "zstd_fast", "compressed": "fastwrite"}


def absolute(name: str, namespace: str) -> str:
    """An absolute topic of a robot in a namespace."""
    return name if name.startswith("/") else f"/{namespace}/{name}".replace("//", "/")


def qos_overrides(robot: RobotConfig, transport: str, namespace: str) -> dict[str, dict[str, str]]:
    """Quality of service per absolute topic, as rosbag2 reads it.

    States reliable and with room for a busy disk; what is said once also for those who come late.
    Images are not among them: rosbag2 asks what a camera's driver offers, which differs.
    """
    found = {}
    for topic in recorded_topics(robot, transport):
        if topic.kind == "image":
            continue
        latched = topic.kind == "latched"
        found[absolute(topic.name, namespace)] = {
            "history": "keep_last",
            "depth": 100,
            "reliability": "reliable",
            "durability": "transient_local" if latched else "volatile",
        }
    return found


def write_qos(file: Path, robot: RobotConfig, transport: str, namespace: str) -> None:
    """Write `qos_overrides` for --qos-profile-overrides-path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(qos_overrides(robot, transport, namespace)))


def record_command(
    robot: RobotConfig, out: Path, transport: str, namespace: str, qos: Path
) -> list[str]:
    """`ros2 bag record` of a robot's topics and of the marks of settled states.

    Raises:
        ConfigError: rosbag2 makes a folder, and `out` is named like a file.
    """
    if out.suffix == ".mcap":
        raise ConfigError(f"bag is {out}, but `ros2 bag record` makes a folder. Name a folder.")
    names = [topic.name for topic in recorded_topics(robot, transport)]
    topics = [absolute(name, namespace) for name in [*names, MARK_TOPIC]]
    return [
        *("ros2", "bag", "record", "--output", str(out), "--storage", "mcap"),
        *("--storage-preset-profile", _PROFILES[transport]),
        *("--qos-profile-overrides-path", str(qos)),
        *("--disable-keyboard-controls", "--topics", *topics),
    ]


def play_command(robot: RobotConfig, bag: Path, rate: float, namespace: str) -> list[str]:
    """`ros2 bag play --clock` of what `Playback` would play, under the same names.

    Raises:
        DataError: there is no such bag, or its images are compressed, which are not unpacked.
    """
    playback = Playback(bag, robot, rate)
    packed = sorted(t for t in playback.names if "/image_raw/" in t)
    if packed:
        raise DataError(
            f"{bag}: {packed[0]} is compressed, and `ros2 bag play` plays it as it is. Use "
            "njf.launch.py with task:=replay, or `njf replay`, whose player unpacks it."
        )
    renamed = [
        f"{topic}:={absolute(name, namespace)}"
        for topic, name in playback.names.items()
        if topic != absolute(name, namespace)
    ]
    return [
        *("ros2", "bag", "play", str(bag), "--clock", str(CLOCK_HZ), "--rate", f"{rate:g}"),
        *("--disable-keyboard-controls", "--topics", *playback.names),
        *(["--remap", *renamed] if renamed else []),
    ]
