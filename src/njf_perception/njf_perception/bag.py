"""Bags read without a ROS installation: rosbag2 folders or single data files.

Each finished chunk of an MCAP file stands for itself, so a recording whose process was killed
still reads back up to its last finished chunk. What is no plain MCAP (SQLite, or compressed whole
or by the message) is left to the rosbags library, see `bag_storage`.
"""

import struct
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard
from mcap.exceptions import InvalidMagic, McapError
from mcap.records import Channel, Chunk, DataEnd, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk

from njf_perception.bag_storage import is_plain_mcap, stored_messages
from njf_perception.bag_types import BagTypes
from njf_perception.errors import DataError


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


class BagReader:
    """Reads a bag in file order: a rosbag2 folder, or a single data file.

    Of MCAP files neither metadata.yaml nor the index is needed, so bags of a killed recorder read
    too.

    Attributes:
        complete: after `messages` ran to its end: whether the recorder closed the bag properly.
    """

    def __init__(self, path: Path) -> None:
        """Find the data files.

        Raises:
            DataError: there is no data file at `path`.
        """
        self.files = data_files(path)
        self.path = path
        self.complete = False
        self._types = BagTypes(path)

    def messages(self, topics: Collection[str] = ()) -> Generator[BagMessage, None, None]:
        """All messages of `topics` (every topic when empty), in the order they were written."""
        self.complete = True
        if is_plain_mcap(self.path):
            for file in self.files:
                yield from self._file_messages(file, topics)
            return
        for connection, time_ns, data in stored_messages(self.path, self.files, topics):
            definition = connection.msgdef
            self._types.note(connection.msgtype, definition.format.name, definition.data)
            yield BagMessage(connection.topic, connection.msgtype, time_ns, data)

    def decode(self, message: BagMessage) -> Any:
        """The message as an object with the fields of its type, arrays as numpy arrays.

        Raises:
            DataError: the bag does not define the type in a way that can be read.
        """
        return self._types.decode(message.data, message.type_name)

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
                self._types.note(record.name, record.encoding, record.data.decode())
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


def data_files(path: Path) -> Sequence[Path]:
    """The data files of a bag, in order of time. Raises DataError when there are none."""
    if path.is_file():
        return [path]
    for pattern in ("*.mcap", "*.db3", "*.mcap.zstd", "*.db3.zstd"):
        # rosbag2 numbers split files without zero padding: shorter names come first.
        files = sorted(path.glob(pattern), key=lambda file: (len(file.name), file.name))
        if files:
            return files
    raise DataError(
        f"{path}: no .mcap file there, nor a .db3 of SQLite. Expected a bag folder or its data "
        "file; record one with `njf explore` or `njf record`."
    )


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


def header_stamp_ns(cdr: bytes) -> int:
    """Acquisition time [ns] of a serialised message whose first field is a std_msgs/Header.

    CDR (OMG DDS-XTypes 7.4): 4 bytes of encapsulation, whose second byte is odd for little endian,
    then int32 sec and uint32 nanosec. Reading 12 bytes costs nothing; a whole image costs 0.3 ms.
    """
    sec, nanosec = struct.unpack_from("<iI" if cdr[1] & 1 else ">iI", cdr, 4)
    return sec * 10**9 + nanosec
