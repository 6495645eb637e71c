"""Instants by their names: leaving some out, and naming them in messages."""

import shlex
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from njf_perception.errors import ConfigError

_LISTED = 12


@runtime_checkable
class _Taken(Protocol):
    @property
    def instant(self) -> str: ...


TakenT = TypeVar("TakenT", bound=_Taken)


def leave_out(taken: Sequence[TakenT], skip: Sequence[str]) -> list[TakenT]:
    """Images or views without those of the instants in `skip`.

    Raises:
        ConfigError: an instant that is not there; lists those that are.
    """
    known = {item.instant for item in taken}
    unknown = [instant for instant in skip if instant not in known]
    if unknown:
        raise ConfigError(
            f"--skip {shlex.join(unknown)}: there is no such instant, expected one of "
            f"{listed(known)}. Name it as messages do."
        )
    return [item for item in taken if item.instant not in skip]


def listed(instants: Iterable[str], most: int = _LISTED) -> str:
    """Names in order, for a message; those after the first `most` are counted."""
    names = sorted(instants)
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more]) or "none"


def skip_options(instants: Iterable[str]) -> str:
    """The options of `njf calibrate` that leave instants out, to be pasted."""
    return " ".join(f"--skip {shlex.quote(instant)}" for instant in sorted(instants))
