"""Write the table of a robot file's keys into docs/adding_a_robot.md, from their descriptions."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from njf_control.robot import RobotConfig

DOCUMENT = Path(__file__).parents[1] / "docs" / "adding_a_robot.md"
BEGIN, END = "<!-- keys: scripts/robot_keys.py writes them -->", "<!-- end of keys -->"


def table() -> str:
    """One row per key, sections after each other."""
    rows = ["| key | default | meaning |", "|---|---|---|"]
    rows += dict.fromkeys(_rows(RobotConfig, ""))  # kinds of drivers share keys
    return "\n".join(rows)


def document(text: str) -> str:
    """The document with the table of today."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _rows(section: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner = list(_sections(field.annotation))
        yield f"| `{prefix}{name}` | {_default(field)} | {field.description}{_choices(field)} |"
        many = {list: "[]", dict: ".<name>"}.get(get_origin(field.annotation), "") if inner else ""
        for section_inside in inner:
            yield from _rows(section_inside, f"{prefix}{name}{many}.")


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a key may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    arguments = get_args(annotation)
    for argument in arguments[:1] if get_origin(annotation) is Annotated else arguments:
        yield from _sections(argument)


def _choices(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal or len(get_args(field.annotation)) < 2:
        return ""
    return f" ({', '.join(map(str, get_args(field.annotation)))})"


def _default(field: FieldInfo) -> str:
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    # The keys of a section say themselves what they are by default.
    if field.is_required() or isinstance(default, BaseModel):
        return ""
    return f"`{default or repr(default)}`"  # of an empty text one sees only the quotes


if __name__ == "__main__":
    written = document(DOCUMENT.read_text())
    if "--check" in sys.argv and written != DOCUMENT.read_text():
        raise SystemExit(f"{DOCUMENT} is out of date: python {Path(__file__).name} writes it anew.")
    DOCUMENT.write_text(written)
