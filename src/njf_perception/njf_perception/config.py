"""Typed YAML configuration: unknown keys are errors that list the valid ones."""

from pathlib import Path
from typing import Any, TypeVar

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
    path = Path(path)
    try:
        data = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Check the path or the robot's name.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    return parse_config(data, schema, str(path))


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
