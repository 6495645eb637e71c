"""Bags that are no plain MCAP files, read by the rosbags library: SQLite, and compressed ones."""

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path

import yaml
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader, ReaderError

from njf_perception.errors import DataError

_READABLE = (".mcap", ".db3")


@cache
def is_plain_mcap(path: Path) -> bool:
    """Whether MCAP files alone say everything: none of SQLite, none compressed from outside."""
    if path.is_file():
        return path.suffix not in (".db3", ".zstd")
    return not _is_compressed(path) and any(path.glob("*.mcap"))


def stored_messages(
    path: Path, files: Sequence[Path], topics: Collection[str]
) -> Iterator[tuple[Connection, int, bytes]]:
    """(connection, time received [ns], bytes) of a bag's messages of `topics`, all when empty.

    Raises:
        DataError: rosbags cannot read it either.
    """
    # One by one where that does: for a folder, rosbags leaves out topics of which metadata.yaml and
    # the file describe the quality of service otherwise.
    whole = path.is_dir() and _is_compressed(path)
    for source in [path] if whole else files:
        if not whole and source.suffix not in _READABLE:
            raise DataError(
                f"{source}: compressed, and no metadata.yaml beside it says how. Give its folder, "
                "or decompress it with `zstd -d`."
            )
        yield from _messages(source, topics)


def _messages(source: Path, topics: Collection[str]) -> Iterator[tuple[Connection, int, bytes]]:
    try:
        with Reader(source) as reader:
            wanted = [c for c in reader.connections if not topics or c.topic in topics]
            count, expected = 0, sum(connection.msgcount for connection in wanted)
            for message in reader.messages(wanted) if wanted else ():
                count += 1
                yield message
            if count < expected:
                raise DataError(
                    f"{source}: only {count} of {expected} messages can be read. Where ROS 2 is "
                    "installed, `ros2 bag convert` writes it anew, uncompressed."
                )
    except ReaderError as error:
        raise DataError(
            f"{source}: not readable as a bag ({error}). Where ROS 2 is installed, "
            "`ros2 bag convert` writes it anew, as MCAP."
        ) from None


def _is_compressed(folder: Path) -> bool:
    """Whether metadata.yaml says that files or messages are compressed from outside."""
    try:
        described = yaml.safe_load((folder / "metadata.yaml").read_text())
        mode = described["rosbag2_bagfile_information"].get("compression_mode") or ""
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return False  # missing or broken: the data speak for themselves
    return str(mode).lower() in ("file", "message")
