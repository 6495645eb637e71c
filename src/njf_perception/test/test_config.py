"""Configuration files: closed, typed, and clear about what is wrong."""

from pathlib import Path

import pydantic
import pytest

from njf_perception.config import Config, load_config, parse_config
from njf_perception.errors import ConfigError, NjfError


class Motor(Config):
    rate_hz: float
    name: str = "motor"


class Robot(Config):
    motors: list[Motor]
    main: Motor


GOOD = "motors: [{rate_hz: 10.0}, {rate_hz: 20.0, name: b}]\nmain: {rate_hz: 5}\n"


def load(tmp_path: Path, text: str) -> Robot:
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    return load_config(path, Robot)


def test_a_good_file_is_read(tmp_path):
    robot = load(tmp_path, GOOD)
    assert [motor.name for motor in robot.motors] == ["motor", "b"]
    assert robot.main.rate_hz == 5.0


def test_configuration_is_immutable(tmp_path):
    robot = load(tmp_path, GOOD)
    with pytest.raises(pydantic.ValidationError):
        robot.main.rate_hz = 1.0


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("name: b", "nmae: b", "unknown key 'motors.1.nmae'; valid keys here: name, rate_hz"),
        ("main:", "mian:", "unknown key 'mian'; valid keys here: main, motors"),
        ("{rate_hz: 5}", "{name: c}", "missing key 'main.rate_hz'"),
        ("10.0", "fast", "'motors.0.rate_hz'"),
        ("10.0", ".nan", "'motors.0.rate_hz'"),
        ("10.0", ".inf", "'motors.0.rate_hz'"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, old, new, complaint):
    with pytest.raises(ConfigError) as error:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert complaint in str(error.value) and "robot.yaml" in str(error.value)


def test_what_is_no_readable_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path, Robot)
    (tmp_path / "photo.yaml").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ConfigError, match=r"photo\.yaml: not valid YAML"):
        load_config(tmp_path / "photo.yaml", Robot)


def test_every_wrong_entry_is_named_at_once(tmp_path):
    with pytest.raises(ConfigError) as error:
        load(tmp_path, GOOD.replace("10.0", "fast").replace("rate_hz: 5", "rate: 5"))
    for complaint in ("motors.0.rate_hz", "unknown key 'main.rate'", "missing key 'main.rate_hz'"):
        assert complaint in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nothing.yaml: no such file"):
        load_config(tmp_path / "nothing.yaml", Robot)


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2\n", "", "just words"])
def test_what_is_no_mapping_is_refused(tmp_path, text):
    with pytest.raises(ConfigError, match="robot.yaml"):
        load(tmp_path, text)


def test_parsed_data_are_named_by_their_origin():
    with pytest.raises(ConfigError, match="^parameters: "):
        parse_config({"rate_hz": "fast"}, Motor, "parameters")


def test_configuration_errors_are_caught_with_all_of_the_projects_errors():
    with pytest.raises(NjfError):
        parse_config(None, Motor, "x")
