"""Calls and handshakes over a live graph, also where answers get lost."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from rclpy.client import Client
from rclpy.node import Node
from rclpy.service import Service
from std_srvs.srv import SetBool

from njf_perception.errors import DeviceNotConnectedError
from njf_perception.nodes import services
from njf_perception.nodes.services import Handshake, call, handshake

pytestmark = pytest.mark.ros

LONG_S = 60.0  # a busy computer


class Asker(Node):
    """A client of the service `switch`."""

    def __init__(self) -> None:
        super().__init__("asker")
        self.switch: Client = self.create_client(SetBool, "switch")


class Server(Node):
    """Serves `switch`; loses its first `lose` answers, as a server does that knows no reader."""

    def __init__(self, lose: int = 0) -> None:
        super().__init__("server")
        self.asked = 0
        self.lost = 0
        self._service: Service = self.create_service(SetBool, "switch", self._answer)
        send = self._service.send_response

        def send_response(response: Any, header: Any) -> None:
            if self.lost < lose:
                self.lost += 1
            else:
                send(response, header)

        self._service.send_response = send_response  # type: ignore[method-assign]

    def _answer(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.asked += 1
        response.success = request.data
        return response


@pytest.fixture
def asker(spin: Callable[..., None]) -> Asker:
    node = Asker()
    spin(node)
    return node


def test_a_call_waits_for_its_service(asker: Asker, spin: Callable[..., None]) -> None:
    server: list[Server] = []

    def wait(seconds: float) -> None:
        if not server:
            server.append(Server())
            spin(server[0])
        time.sleep(seconds)

    assert call(asker.switch, SetBool.Request(data=True), wait, LONG_S).success
    assert server[0].asked == 1


def test_a_request_is_repeated_when_its_answer_is_lost(
    asker: Asker, spin: Callable[..., None]
) -> None:
    server = Server(lose=2)
    spin(server)
    response = call(asker.switch, SetBool.Request(data=True), time.sleep, LONG_S, repeat=True)
    assert response.success
    assert server.lost == 2 and server.asked >= 3


def test_a_lost_answer_is_said_where_nothing_may_be_repeated(
    asker: Asker, spin: Callable[..., None]
) -> None:
    server = Server(lose=1)
    spin(server)
    handshake(asker, "server", time.sleep, LONG_S)
    with pytest.raises(DeviceNotConnectedError, match="/switch is there but did not answer"):
        call(asker.switch, SetBool.Request(), time.sleep, 2.0)
    assert server.asked == 1


def test_a_missing_service_is_named_with_the_time(asker: Asker) -> None:
    with pytest.raises(DeviceNotConnectedError, match=r"/switch did not appear within 0.2 s"):
        call(asker.switch, SetBool.Request(), time.sleep, 0.2)


def test_waiting_ends_when_the_waiter_says_so(asker: Asker) -> None:
    def wait(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(asker.switch, SetBool.Request(), wait, LONG_S)


def test_a_handshake_needs_a_node_that_spins(
    asker: Asker, spin: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "REPEAT_S", 0.1)
    server = Server()
    shake = Handshake(asker, "server")
    for _ in range(30):
        assert not shake.poll()
        time.sleep(0.02)
    clients = len(list(asker.clients))
    with pytest.raises(DeviceNotConnectedError, match="/server/get_parameters"):
        handshake(asker, "server", time.sleep, 0.3)
    assert len(list(asker.clients)) == clients, "no client stays behind"
    spin(server)
    handshake(asker, "server", time.sleep, LONG_S)
    deadline_s = time.monotonic() + LONG_S
    while not shake.poll():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    shake.close()
