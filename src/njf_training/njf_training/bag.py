"""Bags: rosbag2 folders (MCAP, version 9) written without a ROS installation.

The MCAP file is written, and mostly compressed, in chunks of about 1 MB. Each finished chunk stands
for itself, so a recording whose process was killed still reads back up to its last finished chunk.
"""

import os
import sys
from functools import cache
from pathlib import Path

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from njf_perception.bag import BagReader
from njf_perception.errors import ConfigError, DataError

BAG_VERSION = 9  # the rosbag2 metadata version of ROS 2 Jazzy
_FOREVER = QosTime(2147483647, 4294967295)  # rosbag2's spelling of "no deadline"


@cache
def message_types() -> Typestore:
    """Every message type of ROS 2 Jazzy and of njf_msgs, for (de)serialising without ROS.

    Raises:
        ConfigError: njf_msgs is not installed.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    for file in sorted(_njf_msgs_folder().glob("*.msg")):
        store.register(get_types_from_msg(file.read_text(), f"njf_msgs/msg/{file.stem}"))
    return store


def _njf_msgs_folder() -> Path:
    """Folder of njf_msgs' .msg files: colcon's prefixes first, then this Python environment."""
    prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    for prefix in (*prefixes, sys.prefix):
        folder = Path(prefix, "share", "njf_msgs", "msg")
        if folder.is_dir():
            return folder
    raise ConfigError(
        f"njf_msgs not found under {[*prefixes, sys.prefix]}; expected share/njf_msgs/msg. "
        "Run `make` or source the colcon workspace."
    )


class BagWriter:
    """Writes one bag. Use it from one thread at a time; `close` makes it complete."""

    def __init__(self, folder: Path, compress: bool = True) -> None:
        """Create `folder` with `<folder name>.mcap` in it.

        Args:
            folder: to create.
            compress: its chunks. Images that are compressed already only cost time here.

        Raises:
            DataError: the folder exists already; recordings are never overwritten.
        """
        if folder.exists():
            raise DataError(f"{folder} exists already. Remove it or choose another output.")
        self.folder = folder
        self._writer = Writer(folder, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)
        if compress:
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        self._connections: dict[str, Connection] = {}

    @property
    def mcap(self) -> Path:
        """The data file."""
        return self.folder / f"{self.folder.name}.mcap"

    def add_topic(self, topic: str, type_name: str, transient_local: bool = False) -> None:
        """Declare a topic before its first message; `transient_local` is kept for replay."""
        self._connections[topic] = self._writer.add_connection(
            topic,
            type_name,
            typestore=message_types(),
            offered_qos_profiles=[_qos(transient_local)],
        )

    def write(self, topic: str, time_ns: int, data: bytes) -> None:
        """Append one serialised message."""
        self._writer.write(self._connections[topic], time_ns, data)

    def flush(self) -> None:
        """Finish the current chunk, so that a kill from here on loses nothing written so far."""
        storage = self._writer.storage
        if isinstance(storage, McapWriter):
            if storage.chunk.msgs:
                storage.close_chunk()
            storage.bio.flush()

    def close(self) -> None:
        """Write index and metadata."""
        self._writer.close()


def _qos(transient_local: bool) -> Qos:
    durability = QosDurability.TRANSIENT_LOCAL if transient_local else QosDurability.VOLATILE
    return Qos(
        QosHistory.KEEP_LAST,
        10,
        QosReliability.RELIABLE,
        durability,
        _FOREVER,
        _FOREVER,
        QosLiveliness.AUTOMATIC,
        _FOREVER,
        False,
    )


def data_file(bag: Path) -> Path:
    """The data file of a bag that this project recorded, a folder or the file itself."""
    return bag / f"{bag.name}.mcap" if bag.is_dir() else bag


def report_file(bag: Path, suffix: str = ".json") -> Path:
    """Where the report of a bag lies: beside its data."""
    return data_file(bag).with_suffix(f".report{suffix}")


def repair(source: Path, folder: Path) -> int:
    """Copy what reads back of `source` into a complete new bag; returns the number of messages."""
    writer = BagWriter(folder)
    known: set[str] = set()
    count = 0
    for message in BagReader(source).messages():
        if message.topic not in known:
            writer.add_topic(message.topic, message.type_name, message.topic == "/tf_static")
            known.add(message.topic)
        writer.write(message.topic, message.time_ns, message.data)
        count += 1
    writer.close()
    return count


def single_file(folder: Path, target: Path) -> None:
    """Turn a closed bag folder into the plain MCAP file `target`; the folder goes away."""
    os.replace(folder / f"{folder.name}.mcap", target)
    (folder / "metadata.yaml").unlink()
    folder.rmdir()
