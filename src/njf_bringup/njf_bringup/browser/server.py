"""The web server of the page, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI
from nicegui import Client, ui

from njf_bringup.browser.access import Access, Gate
from njf_perception.errors import ConfigError

_FAREWELL_S = 1.0  # that open pages get when the server ends
_RECONNECT_S = 10.0  # a page that is gone for longer is closed; a busy one may be silent so long


class PageServer:
    """Serves one page until `close`. One per process: NiceGUI has one app.

    Args:
        access: where, and to whom.
        title: of the window.
        build: makes the page for one visitor.
    """

    def __init__(self, access: Access, title: str, build: Callable[[], None]) -> None:
        """Listen and start.

        Raises:
            ConfigError: the address cannot be used; the message says why.
        """
        listener = _listen(access)
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.add_middleware(Gate, access=access)
        ui.run_with(
            app, root=build, title=title, reconnect_timeout=_RECONNECT_S, show_welcome_message=False
        )
        config = uvicorn.Config(
            app,
            ws="wsproto",
            log_level="warning",
            timeout_graceful_shutdown=int(_FAREWELL_S),
            lifespan="on",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._serve, args=[listener], name="page", daemon=True
        )
        self._thread.start()

    @property
    def visitors(self) -> int:
        """Pages that are open and connected."""
        return sum(client.has_socket_connection for client in list(Client.instances.values()))

    def close(self) -> None:
        """End the server; at most two seconds."""
        self._server.should_exit = True
        self._thread.join(2 * _FAREWELL_S)

    def _serve(self, listener: socket.socket) -> None:
        asyncio.run(self._server.serve(sockets=[listener]))


def _listen(access: Access) -> socket.socket:
    host = "127.0.0.1" if access.host == "localhost" else access.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, access.port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"the page cannot be served at {access.host}:{access.port}: {error.strerror}. Choose "
            "another browser_port or browser_host."
        ) from None
    return listener
