"""Middleware that lets only clients with an API key pass. Pure ASGI."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api_keys import ApiKeys
from app.http_errors import Fault, route_path, to_response

#: Paths that need no key: whoever watches the server, or reads how to use it, has none.
OPEN_PATHS = frozenset(
    {"/", "/docs", "/docs/oauth2-redirect", "/metrics", "/openapi.json", "/redoc"}
)
OPEN_PREFIXES = ("/health/",)

_CLIENT = "seq2seq.client"


class Authentication:
    """Answers 401 to requests without a valid key, but for `OPEN_PATHS`. So a new route needs a key
    unless it is listed there.

    Args:
        app: gets all other requests.
        keys: that are valid.
    """

    def __init__(self, app: ASGIApp, keys: ApiKeys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            name = self._keys.name_of(_key_of(scope))
            if name is not None:
                scope[_CLIENT] = name
            elif not _is_open(route_path(scope)):
                message = "needs a valid key, sent as 'Authorization: Bearer KEY'"
                fault = Fault(401, "invalid_api_key", message, None, {"WWW-Authenticate": "Bearer"})
                await to_response(fault, scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def client_of(scope: Scope) -> str:
    """Returns who sent a request: the name of its key, or else its address."""
    name: str | None = scope.get(_CLIENT)
    return f"key:{name}" if name is not None else f"ip:{(scope.get('client') or ('-',))[0]}"


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)


def _key_of(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return bytes(value[7:].strip())
        if name == b"x-api-key":
            return bytes(value.strip())
    return b""
