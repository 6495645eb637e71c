"""Who may see the page: this machine, or from elsewhere whoever has the token.

A page that moves a robot must not be reachable by every page that the same browser has open. So a
request that names another host than the one it was sent to is refused, as is one from another
page's origin, on localhost as well.
"""

import hmac
import os
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi.requests import HTTPConnection
from fastapi.responses import PlainTextResponse, RedirectResponse

from njf_perception.errors import ConfigError

TOKEN_VARIABLE = "NJF_BROWSER_TOKEN"
LOCAL = ("localhost", "127.0.0.1", "::1")
_COOKIE = "njf_token"
_SHORTEST_TOKEN = 12
_NO_TOKEN = (
    "This page needs a token. Open the address that the node `browser` printed when it started; "
    "it ends in ?token=..."
)


@dataclass(frozen=True)
class Access:
    """The address of the page and its secret.

    Attributes:
        host, port: where it is served.
        token: what visitors must know; empty: nothing, on this machine alone.
    """

    host: str
    port: int
    token: str

    @property
    def url(self) -> str:
        """What to open, with the token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        query = f"?token={self.token}" if self.token else ""
        return f"http://{host}:{self.port}/{query}"

    def refusal(self, connection: HTTPConnection) -> str:
        """Why a request is not answered, in a sentence; empty when it is."""
        host, origin = connection.headers.get("host", ""), connection.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return f"Another page ({origin}) asked for this one. Open it by its own address."
        if self.token:
            return "" if self._knows(connection.cookies.get(_COOKIE, "")) else _NO_TOKEN
        if urlsplit(f"//{host}").hostname not in LOCAL:
            return f"This page is for its own machine and was asked for as '{host}'."
        return ""

    def brings_token(self, connection: HTTPConnection) -> bool:
        """The address has the right token."""
        return bool(self.token) and self._knows(connection.query_params.get("token", ""))

    def _knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.token.encode())


def access_for(host: str, port: int) -> Access:
    """Access to a page at this address.

    Beyond this machine there is a token: that of the environment variable NJF_BROWSER_TOKEN, or a
    new one.

    Raises:
        ConfigError: the token in the environment is too short to be one.
    """
    if host in LOCAL:
        return Access(host, port, "")
    token = os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(16)
    if len(token) < _SHORTEST_TOKEN:
        raise ConfigError(
            f"{TOKEN_VARIABLE} has {len(token)} characters, expected at least {_SHORTEST_TOKEN}. "
            "Leave it unset, then a token is made up and printed."
        )
    return Access(host, port, token)


class Gate:
    """ASGI middleware: lets in whom `access` allows; a token in the address becomes a cookie."""

    def __init__(self, app: Any, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if scope["type"] == "http" and self._access.brings_token(connection):
            response = RedirectResponse(connection.url.path, status_code=303)
            response.set_cookie(_COOKIE, self._access.token, httponly=True, samesite="strict")
            await response(scope, receive, send)
        elif not (refusal := self._access.refusal(connection)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})
        else:
            await PlainTextResponse(refusal, status_code=403)(scope, receive, send)
