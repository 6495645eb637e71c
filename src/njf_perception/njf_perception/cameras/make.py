"""Which camera sources there are, their settings as flat parameters, and how one is opened."""

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import Field
from pydantic.fields import FieldInfo

from njf_perception.cameras.base import CameraSource
from njf_perception.cameras.realsense import RealSenseCamera, RealSenseConfig
from njf_perception.cameras.replay import BagCamera, BagConfig
from njf_perception.cameras.uvc import UvcCamera, UvcConfig
from njf_perception.cameras.video import VideoCamera, VideoConfig
from njf_perception.config import Config, parse_config
from njf_perception.errors import ConfigError

SourceConfig = Annotated[
    UvcConfig | RealSenseConfig | VideoConfig | BagConfig, Field(discriminator="source")
]
Value = bool | int | float | str

_KINDS: dict[str, tuple[type[Config], Callable[[str, Any], CameraSource]]] = {
    "uvc": (UvcConfig, UvcCamera),
    "realsense": (RealSenseConfig, RealSenseCamera),
    "video": (VideoConfig, VideoCamera),
    "bag": (BagConfig, BagCamera),
}
_UNSET_NUMBER = -1  # no setting can be negative
_UNSET: dict[type, Value] = {int: _UNSET_NUMBER, float: float(_UNSET_NUMBER), str: ""}


@dataclass(frozen=True)
class Setting:
    """One setting as a flat parameter.

    Attributes:
        name: key of the source's configuration.
        default: what every source that has it takes; -1 or "" stands for *not set*.
        description: with unit, and the sources that have it.
        minimum, maximum: range, inclusive; None: none.
    """

    name: str
    default: Value
    description: str
    minimum: float | int | None = None
    maximum: float | int | None = None

    @property
    def unset(self) -> Value | None:
        """The value that stands for *not set*."""
        return _UNSET.get(type(self.default))


def settings() -> list[Setting]:
    """Every setting of every source, once, beside `source` itself."""
    fields: dict[str, dict[str, FieldInfo]] = {}
    for kind, (schema, _) in _KINDS.items():
        for name, info in schema.model_fields.items():
            fields.setdefault(name, {})[kind] = info
    choices = f"where images come from: {', '.join(_KINDS)}"
    del fields["source"]
    return [
        Setting("source", "uvc", choices),
        *[_setting(name, found) for name, found in fields.items()],
    ]


def parse_settings(values: Mapping[str, Value]) -> SourceConfig:
    """The configuration of the source that flat values choose.

    Raises:
        ConfigError: no such source, a setting of another source, or a value that does not fit.
    """
    kind = values["source"]
    if kind not in _KINDS:
        raise ConfigError(f"source '{kind}' is unknown. Choose one of {', '.join(_KINDS)}.")
    schema, _ = _KINDS[str(kind)]
    by_name = {setting.name: setting for setting in settings()}
    given = {k: v for k, v in values.items() if v != by_name[k].unset}
    foreign = [k for k in given if k not in schema.model_fields and given[k] != by_name[k].default]
    if foreign:
        owners = [k for k, (other, _) in _KINDS.items() if foreign[0] in other.model_fields]
        raise ConfigError(
            f"'{foreign[0]}' is no setting of the source '{kind}' but of {' and '.join(owners)}. "
            f"Set source to one of these, or leave {foreign[0]} out."
        )
    own = {k: v for k, v in given.items() if k in schema.model_fields}
    return parse_config(own, schema, "parameters")  # type: ignore[return-value]


def open_source(name: str, config: SourceConfig) -> CameraSource:
    """Open a source; `start` begins to capture.

    Raises:
        NjfError: it cannot be opened as asked; see the sources.
    """
    _, make = _KINDS[config.source]
    return make(name, config)


def _setting(name: str, found: dict[str, FieldInfo]) -> Setting:
    """The one flat parameter behind the same key of several sources."""
    first = next(iter(found.values()))
    kind, optional = _base_type(first.annotation)
    defaults = {None if info.is_required() else info.default for info in found.values()}
    default = defaults.pop() if len(defaults) == 1 else None
    flat = _UNSET[kind] if default is None else default
    bounds = [getattr(rule, end, None) for rule in first.metadata for end in ("gt", "ge", "le")]
    limits = [bound for bound in bounds if bound is not None]
    low, high = (min(limits), max(limits)) if len(limits) > 1 else (None, None)
    if low is not None and default is None:
        low = _UNSET_NUMBER
    elif low is not None and kind is int and any(hasattr(rule, "gt") for rule in first.metadata):
        low = low + 1
    description = f"{first.description} ({', '.join(found)})"
    if default is None and not first.is_required():
        description += f"; {flat!r}: {'not set' if optional else 'its default'}"
    return Setting(name, flat, description, low, high)


def _base_type(annotation: Any) -> tuple[type, bool]:
    """(bool, int, float or str, whether None is allowed) of a field's annotation."""
    optional = False
    if get_origin(annotation) in (Union, types.UnionType):
        optional = type(None) in get_args(annotation)
        annotation = next(a for a in get_args(annotation) if a is not type(None))
    return (str if annotation is Path else annotation), optional
