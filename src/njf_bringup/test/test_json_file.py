"""JSON files are whole, and readable by everybody."""

import json
import math
from pathlib import Path

import pytest

from njf_bringup.json_file import write_json


def test_nan_and_infinity_become_null(tmp_path: Path) -> None:
    content = {"a": math.nan, "b": [1.5, math.inf, {"c": -math.inf}], "d": "text"}
    write_json(tmp_path / "new" / "file.json", content)
    text = (tmp_path / "new" / "file.json").read_text()
    assert json.loads(text) == {"a": None, "b": [1.5, None, {"c": None}], "d": "text"}
    assert "NaN" not in text and "Infinity" not in text


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"good": 1})
    with pytest.raises(TypeError):
        write_json(path, {"bad": object()})
    assert json.loads(path.read_text()) == {"good": 1}
