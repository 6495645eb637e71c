"""Modbus TCP as it goes over the wire, against a socket that this test answers by hand."""

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

from njf_control.drivers.base import NoAnswerError
from njf_control.drivers.pressure.modbus import ModbusLink, ModbusRefusedError
from njf_perception.errors import ConfigError, DeviceNotConnectedError, NjfError

ROUNDS = 12  # over a socket, where a lost answer takes its time
TIMEOUT_S = 0.15
Answer = Callable[[bytes], bytes | None]


class Server:
    """Takes one connection after the other; `answer` turns a request into bytes, None hangs up."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answer: Answer = lambda request: b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        try:
            while request := client.recv(4096):
                self.requests.append(request)
                answer = self.answer(request)
                if answer is None:
                    return
                client.sendall(answer)
        except OSError:
            return


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def link(server: Server) -> Iterator[ModbusLink]:
    link = ModbusLink(server.address, 1, TIMEOUT_S)
    link.open()
    yield link
    link.close()


def mbap(request: bytes, pdu: bytes) -> bytes:
    """The answer's frame: number and unit of the request, protocol 0, length."""
    return request[:4] + (len(pdu) + 1).to_bytes(2, "big") + request[6:7] + pdu


def test_reading_is_the_specifications_example(server: Server, link: ModbusLink) -> None:
    """MODBUS Application Protocol V1.1b3, section 6.3: registers 108 to 110."""
    server.answer = lambda request: mbap(request, bytes.fromhex("03 06 02 2B 00 00 00 64"))
    assert link.read(107, 3) == [555, 0, 100]
    assert server.requests[0][2:] == bytes.fromhex("00 00 00 06 01 03 00 6B 00 03")


def test_writing_is_the_specifications_example(server: Server, link: ModbusLink) -> None:
    """The same, section 6.12: two registers from 2 on."""
    server.answer = lambda request: mbap(request, bytes.fromhex("10 00 01 00 02"))
    link.write(1, [0x000A, 0x0102])
    assert server.requests[0][2:] == bytes.fromhex("00 00 00 0B 01 10 00 01 00 02 04 00 0A 01 02")


def test_an_exception_is_a_refusal_in_words(server: Server, link: ModbusLink) -> None:
    server.answer = lambda request: mbap(request, bytes([0x83, 2]))
    with pytest.raises(ModbusRefusedError, match="reading 1 .* from 7 .* exception 2: .*no such"):
        link.read(7, 1)
    server.answer = lambda request: mbap(request, bytes([0x83, 6]))
    with pytest.raises(NoAnswerError, match="busy"):
        link.read(7, 1)
    assert link.statistics.refusals == 2


def test_silence_is_no_answer_and_a_late_one_is_passed_over(
    server: Server, link: ModbusLink
) -> None:
    with pytest.raises(NoAnswerError, match="did not answer reading 1 .* within 0.15 s"):
        link.read(7, 1)
    late = mbap(server.requests[0], bytes([3, 2, 0, 99]))
    server.answer = lambda request: late + mbap(request, bytes([3, 2, 0, 7]))
    assert link.read(7, 1) == [7]
    assert (link.statistics.requests, link.statistics.timeouts) == (2, 1)


def test_a_lost_connection_stays_lost_until_it_is_opened(server: Server, link: ModbusLink) -> None:
    server.answer = lambda request: None
    with pytest.raises(DeviceNotConnectedError, match="was lost"):
        link.read(7, 1)
    server.answer = lambda request: mbap(request, bytes([3, 2, 0, 7]))
    with pytest.raises(DeviceNotConnectedError, match="no connection"):
        link.read(7, 1)
    link.open()
    assert link.read(7, 1) == [7]


@pytest.mark.parametrize(
    "pdu", [bytes([3, 4, 0, 1, 0, 2]), bytes([16, 0, 7, 0, 1]), bytes([1, 1, 1])]
)
def test_an_answer_to_something_else_is_none(server: Server, link: ModbusLink, pdu: bytes) -> None:
    server.answer = lambda request: mbap(request, pdu)
    with pytest.raises(NoAnswerError):
        link.read(7, 1)


def test_nobody_there_is_told(server: Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(DeviceNotConnectedError, match=f"nobody answers at {address}.*ping"):
        ModbusLink(address, 1, TIMEOUT_S).open()


@pytest.mark.parametrize("address", ["", "192.168.4.3", ":502", "host:", "host:99999", "host:x"])
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(ConfigError, match="expected host:port"):
        ModbusLink(address, 1, TIMEOUT_S).open()


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(3))
def test_any_answer_ends_in_time_and_in_words(server: Server, seed: int) -> None:
    """Noise, damaged answers, pieces of answers: registers or an error of ours, never a hang."""
    noise = random.Random(seed)

    def answer(request: bytes) -> bytes | None:
        right = mbap(request, bytes([3, 2, 0, 7]))
        damaged = bytearray(right)
        damaged[noise.randrange(len(right))] = noise.randrange(256)
        some = noise.randbytes(noise.randrange(1, 300))
        return noise.choice([some, bytes(damaged), right[: noise.randrange(9)], right + some])

    server.answer = answer
    link = ModbusLink(server.address, 1, 0.05)
    link.open()
    for _ in range(ROUNDS):
        begin_s = time.monotonic()
        try:
            assert all(0 <= word <= 0xFFFF for word in link.read(7, 1))
        except NjfError:
            link.open()
        assert time.monotonic() - begin_s < 5.0
    link.close()


class Wire(ModbusTcpClient):
    """A client that is answered in memory, once to each request; then nobody answers."""

    def __init__(self) -> None:
        super().__init__("nowhere", timeout=0.0, retries=0)
        self.answer: Callable[[bytes], bytes] = lambda request: b""
        self._answers: list[bytes] = []

    @property
    def connected(self) -> bool:
        return True

    def connect(self) -> bool:
        return True

    def send(self, request: bytes, addr: object = None) -> int:
        self._answers = [self.answer(request)]
        return len(request)

    def recv(self, size: int | None) -> bytes:
        return self._answers.pop() if self._answers else b""


@pytest.mark.fuzz
def test_damaged_answers_are_values_or_errors_of_ours(fuzz) -> None:
    link = ModbusLink("nowhere:502", 1, 0.0)
    link._client = wire = Wire()
    wire.answer = lambda request: fuzz.damaged(mbap(request, bytes([3, 2, 0, 7])))
    values = unlike = 0
    for _ in range(fuzz.count(4_000)):
        try:
            read = link.read(45_395, 1)
        except NjfError:
            continue
        assert len(read) == 1 and 0 <= read[0] <= 65_535
        values, unlike = values + 1, unlike + (read != [7])
    assert values > fuzz.count(4_000) / 20, "intact answers get through"
    assert unlike < values, "TCP has no CRC in its frames: a wrong value may pass, never a crash"
