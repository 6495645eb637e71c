"""Types that cannot be read do not stand in the way of those that can."""

from pathlib import Path

import pytest
from rosbags.typesys import Stores, get_typestore

from njf_perception.bag_types import BagTypes
from njf_perception.errors import DataError

TEXT = "std_msgs/msg/String"
STORE = get_typestore(Stores.ROS2_JAZZY)
HELLO = bytes(STORE.serialize_cdr(STORE.types[TEXT](data="hello"), TEXT))


@pytest.fixture
def types() -> BagTypes:
    return BagTypes(Path("some.mcap"))


@pytest.mark.parametrize(
    ("encoding", "definition"),
    [
        ("ros2msg", "string data"),
        ("MSG", "string data"),
        ("ros2idl", "module std_msgs { module msg { struct String { string data; }; }; };"),
        ("", ""),
    ],
)
def test_definitions_of_all_kinds_are_read(types: BagTypes, encoding: str, definition: str) -> None:
    types.note(TEXT, encoding, definition)
    assert types.decode(HELLO, TEXT).data == "hello"


def test_events_of_services_are_told_when_they_are_asked_for(types: BagTypes) -> None:
    """As rosbag2 writes them: the definition of a service under the name of its event."""
    types.note("example_interfaces/srv/AddTwoInts_Event", "ros2msg", "int64 a\n---\nint64 sum")
    types.note(TEXT, "ros2msg", "string data")
    assert types.decode(HELLO, TEXT).data == "hello"
    with pytest.raises(DataError, match="some.mcap.*AddTwoInts_Event cannot be read"):
        types.decode(HELLO, "example_interfaces/srv/AddTwoInts_Event")


def test_bytes_of_another_release_are_told(types: BagTypes) -> None:
    types.note(TEXT, "ros2msg", "uint8 value")
    with pytest.raises(DataError, match="message of std_msgs/msg/String does not fit"):
        types.decode(HELLO, TEXT)
