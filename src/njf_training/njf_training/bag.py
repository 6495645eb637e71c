"""Bags: rosbag2 folders (MCAP, version 9) written and read without a ROS installation.

The MCAP file is compressed in chunks of about 1 MB. Each finished chunk stands for itself, so a
recording whose process was killed still reads back up to its last finished chunk.
"""

import os
import struct
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import zstandard
from mcap.exceptions import InvalidMagic, McapError
from mcap.records import Channel, Chunk, DataEnd, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk
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

from njf_perception.errors import ConfigError, DataError

BAG_VERSION = 9  # the rosbag2 metadata version of ROS 2 Jazzy
_FOREVER = QosTime(2147483647, 4294967295)  # rosbag2's spelling of "no deadline"


@dataclass(frozen=True)
class BagMessage:
    """One serialised message of a bag.

    Attributes:
        topic: absolute topic name.
        type_name: such as "sensor_msgs/msg/Image".
        time_ns: when the recorder received it (ROS time); not the acquisition time.
        data: CDR bytes with their encapsulation header.
    """

    topic: str
    type_name: str
    time_ns: int
    data: bytes


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

    def __init__(self, folder: Path) -> None:
        """Create `folder` with `<folder name>.mcap` in it.

        Raises:
            DataError: the folder exists already; recordings are never overwritten.
        """
        if folder.exists():
            raise DataError(f"{folder} exists already. Remove it or choose another output.")
        self.folder = folder
        self._writer = Writer(folder, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)
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


class BagReader:
    """Reads an MCAP bag in file order: a rosbag2 folder, or a single .mcap file.

    Neither metadata.yaml nor the file's index is needed, so bags of a killed recorder read too.

    Attributes:
        complete: after `messages` ran to its end: whether the recorder closed the bag properly.
    """

    def __init__(self, path: Path) -> None:
        """Find the data files.

        Raises:
            DataError: there is no MCAP file at `path`.
        """
        self.files = data_files(path)
        self.path = path
        self.complete = False
        self._store = get_typestore(Stores.EMPTY)

    def messages(self, topics: Collection[str] = ()) -> Iterator[BagMessage]:
        """All messages of `topics` (every topic when empty), in the order they were written."""
        self.complete = True
        for file in self.files:
            yield from self._file_messages(file, topics)

    def decode(self, message: BagMessage) -> Any:
        """The message as an object with the fields of its type, arrays as numpy arrays."""
        return self._store.deserialize_cdr(message.data, message.type_name)

    def describe(self) -> str:
        """One sentence about completeness, for reports."""
        if self.complete:
            return f"{self.path}: complete"
        return f"{self.path}: not closed properly; every finished chunk was recovered"

    def _file_messages(self, file: Path, topics: Collection[str]) -> Iterator[BagMessage]:
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        closed = False
        for record in _intact_records(file):
            if isinstance(record, Schema):
                schemas[record.id] = record
                self._register(record)
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, DataEnd):
                closed = True
            elif isinstance(record, Message):
                channel = channels[record.channel_id]
                if not topics or channel.topic in topics:
                    type_name = schemas[channel.schema_id].name
                    yield BagMessage(channel.topic, type_name, record.log_time, record.data)
        self.complete &= closed

    def _register(self, schema: Schema) -> None:
        if schema.name not in self._store.types:
            types = get_types_from_msg(schema.data.decode(), schema.name)
            self._store.register({k: v for k, v in types.items() if k not in self._store.types})


def data_files(path: Path) -> Sequence[Path]:
    """The MCAP files of a bag, in order of time. Raises DataError when there are none."""
    if path.is_file():
        return [path]
    # rosbag2 numbers split files without zero padding: shorter names come first.
    files = sorted(path.glob("*.mcap"), key=lambda file: (len(file.name), file.name))
    if not files:
        raise DataError(
            f"{path}: no .mcap file there. Expected a bag folder or an .mcap file; "
            "record one with `njf explore` or `njf record`."
        )
    return files


def _intact_records(file: Path) -> Iterator[McapRecord]:
    """Records up to the end of the file or to the first unfinished one.

    Raises:
        DataError: the file is no MCAP file.
    """
    with file.open("rb") as stream:
        try:
            for record in StreamReader(stream, emit_chunks=True).records:
                yield from breakup_chunk(record) if isinstance(record, Chunk) else [record]
        except InvalidMagic as error:
            if stream.tell() <= 8:
                raise DataError(f"{file}: not an MCAP file ({error}).") from None
        except (McapError, struct.error, zstandard.ZstdError, UnicodeDecodeError):
            return  # cut in mid-record: what came before stands


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
