"""What the CAN interface's state means, and the line that mends it."""

import pytest

from njf_control.drivers.allegro.link import describe, describe_link

UP = "sudo ip link set can0 up type can bitrate 1000000 restart-ms 100"


def details(flags: list[str], bitrate: int = 1_000_000, state: str = "ERROR-ACTIVE") -> dict:
    """As `ip -details -json link show can0` writes it."""
    data = {"state": state, "restart_ms": 100, "bittiming": {"bitrate": bitrate}}
    return {
        "ifname": "can0",
        "flags": flags,
        "linkinfo": {"info_kind": "can", "info_data": data},
    }


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "There is no CAN interface can0"),
        (details(["NOARP", "ECHO"], state="STOPPED"), "can0 is down"),
        (details(["NOARP", "UP"], bitrate=500_000), "runs at 500000 bit/s"),
        (details(["NOARP", "UP"], state="BUS-OFF"), "BUS-OFF"),
    ],
)
def test_every_trouble_names_the_line_that_mends_it(found: dict | None, words: str):
    text = describe("can0", found)
    assert words in text and UP in text


def test_nothing_is_said_about_a_good_interface():
    assert describe("can0", details(["NOARP", "UP", "LOWER_UP"])) == ""
    assert describe("vcan0", {"flags": ["UP"]}) == "", "a virtual one has no bitrate"


def test_an_interface_that_does_not_exist_is_found_out():
    assert UP.replace("can0", "can7") in describe_link("socketcan", "can7")
    assert describe_link("serial", "/dev/pts/3") == ""
