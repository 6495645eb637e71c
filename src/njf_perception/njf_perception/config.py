"""Typed YAML configuration: unknown keys are errors that list the valid ones."""

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import pydantic
import yaml

from njf_perception.errors import ConfigError


class Config(pydantic.BaseModel):
    """Base of every configuration section: immutable, and closed to unknown keys."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


ConfigT = TypeVar("ConfigT", bound=Config)


def load_config(path: str | Path, schema: type[ConfigT]) -> ConfigT:
    """Read a YAML file into `schema`.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or does not fit the schema; the
            message names every offending key, what it held and which keys are valid there.
    """
    return parse_config(read_yaml(path), schema, str(path))


def read_yaml(path: str | Path) -> Any:
    """Whatever a YAML file holds, unchecked; for contents that are changed before `parse_config`.

    Raises:
        ConfigError: the file is missing, unreadable or no YAML.
    """
    try:
        return yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Check the path or the robot's name.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Name a YAML file.") from None


def parse_config(data: Any, schema: type[ConfigT], origin: str) -> ConfigT:
    """Validate already loaded `data` against `schema`; `origin` names it in errors.

    Raises:
        ConfigError: see `load_config`.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{origin}: expected a mapping of keys, got {type(data).__name__}.")
    try:
        return schema.model_validate(data)
    except pydantic.ValidationError as error:
        lines = [_describe(problem, schema) for problem in error.errors()]
        raise ConfigError(f"{origin}: " + "; ".join(lines)) from None


def _describe(problem: Any, schema: type[Config]) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        valid = ", ".join(sorted(_section_keys(schema, problem["loc"][:-1])))
        return f"unknown key '{where}'; valid keys here: {valid}"
    if problem["type"] == "missing":
        return f"missing key '{where}'"
    return f"'{where}': {problem['msg']}, got {problem['input']!r}"


def _section_keys(schema: Any, location: tuple[Any, ...]) -> list[str]:
    """Follow `location` through nested schemas to the keys valid there."""
    for part in location:
        if isinstance(part, int):
            continue
        field = schema.model_fields.get(part) if hasattr(schema, "model_fields") else None
        if field is None:
            continue
        schema = _inner_schema(field.annotation)
    return list(getattr(schema, "model_fields", {}))


def _inner_schema(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        inner = _inner_schema(argument)
        if inner is not None:
            return inner
    return None


def describe(schema: type[Config]) -> str:
    """Markdown tables of all keys of a schema: one for its own keys, one per section below it.

    A key's row says its name, type and limits, default, and description.
    """
    return "\n".join(_tables(schema)).strip() + "\n"


def _tables(schema: Any, prefix: str = "", defaults: Config | None = None) -> Iterator[str]:
    """Lines of the tables; `defaults` holds the section's values where its parent sets them."""
    if prefix:
        yield from (f"### `{prefix}`", "", _summary(schema), "")
    yield from ("| key | type | default | meaning |", "|---|---|---|---|")
    sections = {}
    for name, field in schema.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if defaults is not None:
            default = getattr(defaults, name)
        inner = _inner_schema(field.annotation)
        if inner is not None:
            path = f"{prefix}.{name}".lstrip(".")
            sections[path] = (inner, default if isinstance(default, inner) else None)
            cells = ("section", f"see `{path}`", field.description or _summary(inner))
        else:
            value = "required" if field.is_required() else _value(default)
            cells = (_type(field), value, field.description or "")
        yield f"| `{name}` | {' | '.join(cells)} |"
    yield ""
    for path, (inner, values) in sections.items():
        yield from _tables(inner, path, values)


def _summary(schema: Any) -> str:
    return next(iter((schema.__doc__ or "").strip().splitlines()), "")


def _value(default: Any) -> str:
    text = yaml.safe_dump(default, default_flow_style=True).removesuffix("...\n").strip()
    return f"`{text}`"


def _type(field: Any) -> str:
    """Type of a key and its limits, such as "integer, >= 1"."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "multiple_of": "multiple of"}
    limits = [
        f"{sign} {getattr(rule, name):g}"
        for rule in field.metadata
        for name, sign in signs.items()
        if getattr(rule, name, None) is not None
    ]
    return ", ".join([_type_name(field.annotation), *limits])


def _type_name(annotation: Any) -> str:
    names = {int: "integer", float: "number", bool: "boolean", str: "text", type(None): "null"}
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_type_name(argument) for argument in arguments)
    if origin in (list, tuple, dict):
        inner = ", ".join(_type_name(a) for a in arguments if a is not Ellipsis)
        return f"{'mapping' if origin is dict else 'list'} of {inner}"
    return names.get(annotation, str(annotation))
