"""Who may come in, over real HTTP requests."""

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from njf_bringup.browser.access import TOKEN_VARIABLE, Access, Gate, access_for
from njf_perception.errors import ConfigError

TOKEN = "a-token-of-some-length"


def visitor(access: Access, host: str) -> TestClient:
    app = FastAPI()
    app.add_middleware(Gate, access=access)

    @app.get("/")
    def root() -> str:
        return "the page"

    @app.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")

    return TestClient(app, base_url=f"http://{host}", follow_redirects=True)


def may_talk(client: TestClient, origin: str) -> bool:
    try:
        address = f"ws://{client.base_url.netloc.decode()}/ws"  # relative ones go to "testserver"
        with client.websocket_connect(address, headers={"origin": origin}) as socket:
            return socket.receive_text() == "hello"
    except WebSocketDisconnect:
        return False


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"])
def test_this_machine_needs_no_token(host: str) -> None:
    client = visitor(access_for("localhost", 8080), host)
    assert client.get("/").status_code == 200
    assert may_talk(client, f"http://{host}")


def test_another_page_of_the_same_browser_may_not_drive_the_robot() -> None:
    client = visitor(access_for("localhost", 8080), "localhost:8080")
    assert not may_talk(client, "http://elsewhere.example")
    answer = client.get("/", headers={"origin": "http://elsewhere.example"})
    assert answer.status_code == 403 and "Another page" in answer.text


def test_a_name_that_only_leads_here_is_refused() -> None:
    answer = visitor(access_for("localhost", 8080), "rebound.example:8080").get("/")
    assert answer.status_code == 403 and "rebound.example" in answer.text


def test_beyond_this_machine_the_token_opens_the_page_and_its_socket() -> None:
    client = visitor(Access("0.0.0.0", 8080, TOKEN), "robot.lab:8080")
    for address in ("/", "/?token=", "/?token=wrong"):
        answer = client.get(address)
        assert answer.status_code == 403 and "needs a token" in answer.text
    assert not may_talk(client, "http://robot.lab:8080")
    answer = client.get(f"/?token={TOKEN}")
    assert answer.status_code == 200 and TOKEN not in str(answer.url)
    assert may_talk(client, "http://robot.lab:8080")
    assert not may_talk(client, "http://elsewhere.example")


def test_a_token_is_made_up_unless_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    first, second = access_for("0.0.0.0", 80), access_for("0.0.0.0", 80)
    assert len(first.token) > 20 and first.token != second.token
    assert first.url == f"http://0.0.0.0:80/?token={first.token}"
    assert access_for("localhost", 80).url == "http://localhost:80/"
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert access_for("::", 80).url == f"http://[::]:80/?token={TOKEN}"
    monkeypatch.setenv(TOKEN_VARIABLE, "short")
    with pytest.raises(ConfigError, match="5 characters, expected at least 12"):
        access_for("0.0.0.0", 80)
