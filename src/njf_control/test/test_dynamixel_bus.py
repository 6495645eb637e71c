"""The bus on a real pseudo-terminal, with servos that answer, damage answers and vanish."""

import termios
import threading
import time

import pytest
import serial

from njf_control.drivers.base import NoAnswerError
from njf_control.drivers.dynamixel.bus import (
    DynamixelBus,
    ServoRefusedError,
    SpeedRefusedError,
)
from njf_control.drivers.dynamixel.models import XL320
from njf_perception.errors import DeviceNotConnectedError

GOAL, POSITION = XL320["goal_position"], XL320["present_position"]


@pytest.fixture
def bus(bench):
    bus = DynamixelBus(bench.port, 1_000_000, reply_timeout_s=0.4, retries=1)
    bus.open()
    yield bus
    bus.close()


@pytest.mark.parametrize("error", [termios.error(5, "Input/output error"), OSError("gone")])
def test_a_port_that_vanishes_while_it_is_opened_is_told(monkeypatch, error):
    def vanish(*_, **__):
        raise error

    monkeypatch.setattr(serial, "Serial", vanish)
    with pytest.raises(DeviceNotConnectedError, match="cannot open /dev/ttyUSB7"):
        DynamixelBus("/dev/ttyUSB7", 1_000_000).open()


def test_a_speed_that_the_adapter_cannot_do_is_told(bus, monkeypatch):
    original = serial.Serial.baudrate

    def refuse(port, baud):
        if baud == 250_000:
            raise ValueError("Failed to set custom baud rate")
        original.__set__(port, baud)

    monkeypatch.setattr(serial.Serial, "baudrate", property(original.fget, refuse))
    refused = pytest.raises(SpeedRefusedError, match="cannot do 250000 bit/s")
    with refused, bus.at_baud(250_000):
        pass
    assert bus.ping(2) == 350, "at the old speed"


def test_ping_and_scan_find_the_servos(bus):
    assert bus.ping(2) == 350
    assert bus.scan() == {1: 350, 2: 350, 3: 350}


def test_write_is_read_back(bus, bench):
    bus.write(2, GOAL, 600)
    assert bus.read(2, GOAL) == 600
    assert bench.servos[1].get("goal_position") == 600


def test_sync_write_reaches_every_servo(bus, bench, wait_until):
    bus.sync_write(GOAL, {1: 500, 2: 0xFDFF % 1024, 3: 1023})
    wait_until(lambda: bench.registers("goal_position") == [500, 0xFDFF % 1024, 1023])


def test_sync_read_returns_the_block_of_every_servo(bus, bench):
    block = XL320.span("present_position", "hardware_error_status")
    answers = bus.sync_read(block, [3, 1, 2])
    assert {i: len(data) for i, data in answers.items()} == {1: 14, 2: 14, 3: 14}
    values = [XL320.extract("present_position", answers[i], block.address) for i in (1, 2, 3)]
    assert values == bench.registers("present_position")


def test_a_silent_servo_is_named(bus, bench):
    bench.servos[1].faults.mute = True
    with pytest.raises(NoAnswerError, match=r"SYNC_READ from motor id\(s\) 2 within"):
        bus.sync_read(POSITION, [1, 2, 3])
    assert bus.statistics.timeouts == 1 and bus.statistics.retries == 1


@pytest.mark.parametrize("fault", ["corrupt_crc", "truncate"])
def test_a_damaged_answer_counts_as_none(bus, bench, fault):
    setattr(bench.servos[0].faults, fault, True)
    with pytest.raises(NoAnswerError):
        bus.read(1, GOAL)
    setattr(bench.servos[0].faults, fault, False)
    assert bus.read(1, GOAL) == bench.servos[0].get("goal_position")


def test_damaged_answers_are_counted(bus, bench):
    bench.servos[0].faults.corrupt_crc = True
    with pytest.raises(NoAnswerError):
        bus.ping(1)
    assert bus.statistics.crc_errors == 2


def test_a_refusal_is_told_at_once(bus):
    with pytest.raises(ServoRefusedError, match="motor id 1 refused WRITE: .*range"):
        bus.write(1, GOAL, 2000)
    with pytest.raises(ServoRefusedError, match="read-only"):
        bus.write(1, POSITION, 1)
    assert bus.statistics.retries == 0


def test_an_alert_is_counted_but_no_error(bus, bench, wait_until):
    bench.servos[0].faults.overheat = True
    wait_until(lambda: bench.servos[0].get("hardware_error_status"))
    assert bus.read(1, XL320["hardware_error_status"]) == 2
    assert bus.statistics.alerts >= 1


def test_waiting_costs_no_processor_time(bus, bench):
    bench.servos[0].faults.mute = True
    before_s = time.thread_time()
    with pytest.raises(NoAnswerError):
        bus.ping(1)
    assert time.thread_time() - before_s < 0.05, "of 0.8 s waited"


def test_a_port_that_vanishes_is_told(bus, bench):
    bench.unplug()
    for request in (
        lambda: bus.ping(1),
        lambda: bus.sync_write(GOAL, {1: 512}),
        lambda: bus.sync_read(POSITION, [1]),
    ):
        with pytest.raises(DeviceNotConnectedError, match="was lost") as caught:
            request()
        assert not isinstance(caught.value, NoAnswerError)


def test_a_port_that_vanishes_while_waiting_is_told_before_the_timeout(bench, wait_until):
    bench.servos[0].faults.mute = True
    patient = DynamixelBus(bench.port, 1_000_000, reply_timeout_s=60.0, retries=0)
    patient.open()
    timer = threading.Timer(0.2, bench.unplug)
    timer.start()
    with pytest.raises(DeviceNotConnectedError, match="was lost"):
        patient.ping(1)
    timer.join()
    patient.close()


def test_a_missing_port_says_what_to_do(tmp_path):
    bus = DynamixelBus(str(tmp_path / "nothing"), 1_000_000)
    with pytest.raises(DeviceNotConnectedError, match="does not exist"):
        bus.open()
    with pytest.raises(DeviceNotConnectedError, match=r"Call open\(\)"):
        bus.ping(1)
    assert not bus.is_open


def test_a_second_program_on_the_port_is_refused(bus, bench):
    second = DynamixelBus(bench.port, 1_000_000)
    with pytest.raises(DeviceNotConnectedError, match="another program"):
        second.open()
