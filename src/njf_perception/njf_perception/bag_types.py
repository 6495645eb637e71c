"""Message types as a bag defines them, looked at when the first message of a type is decoded.

A bag of ROS 2's own recorder may hold types that nobody here asks for, and some that no library
can read, such as events of services: these must not stand in the way of the others.
"""

from pathlib import Path
from typing import Any

from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from njf_perception.errors import DataError

_PARSERS = {"ros2msg": get_types_from_msg, "msg": get_types_from_msg}


class BagTypes:
    """The types of one bag. Where it defines none (SQLite before Iron), those of ROS 2 Jazzy."""

    def __init__(self, path: Path) -> None:
        """For the bag at `path`, which errors name."""
        self._path = path
        self._definitions: dict[str, tuple[str, str]] = {}
        self._store = get_typestore(Stores.EMPTY)
        self._known = get_typestore(Stores.ROS2_JAZZY)

    def note(self, type_name: str, encoding: str, definition: str) -> None:
        """Keep how the bag defines a type: "ros2msg", "ros2idl", or empty where it does not."""
        self._definitions.setdefault(type_name, (encoding.lower(), definition))

    def decode(self, data: bytes, type_name: str) -> Any:
        """A serialised message as an object with the fields of its type.

        Raises:
            DataError: the type is neither defined in a way that can be read, nor one of ROS 2; or
                the bytes do not fit it.
        """
        encoding, definition = self._definitions.get(type_name, ("", ""))
        store = self._store
        if type_name not in store.types and not definition and type_name in self._known.types:
            store = self._known
        elif type_name not in store.types:
            self._register(type_name, encoding, definition)
        try:
            return store.deserialize_cdr(data, type_name)
        except Exception as error:  # whatever rosbags makes of other bytes
            raise DataError(
                f"{self._path}: a message of {type_name} does not fit its definition ({error}). "
                "Another ROS release wrote it, or it is damaged; record it again."
            ) from None

    def _register(self, type_name: str, encoding: str, definition: str) -> None:
        try:
            if encoding in _PARSERS:
                types = _PARSERS[encoding](definition, type_name)
            else:
                types = get_types_from_idl(definition)
            self._store.register({k: v for k, v in types.items() if k not in self._store.types})
            self._store.get_msgdef(type_name)
        except Exception as error:  # whatever rosbags makes of another writer's text
            raise DataError(
                f"{self._path}: the bag's definition of {type_name} cannot be read "
                f"({type(error).__name__}). Record that topic anew, or leave it out."
            ) from None
