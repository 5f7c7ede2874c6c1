"""Middleware that lets only clients with an API key pass. Pure ASGI."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api_keys import ApiKeys
from app.errors import InvalidKey
from app.http_errors import route_path, to_fault, to_response

#: Paths that need no key: whoever watches the server, or reads how to use it, has none.
OPEN_PATHS = frozenset(
    {
        "/",
        "/docs",
        "/frontend/settings",
        "/health",
        "/languages",
        "/metrics",
        "/openapi.json",
        "/spec",
    }
)
#: The same of all paths below these. The address of a translated file cannot be guessed.
OPEN_PREFIXES = ("/download_file/", "/health/", "/static/")

#: Routes that may get the key as a field, as LibreTranslate's clients send it. They have to call
#: `require_key`.
KEY_IN_FIELDS = frozenset({"/detect", "/translate", "/translate_file"})

_CLIENT, _KEYS = "seq2seq.client", "seq2seq.keys"


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
            elif (path := route_path(scope)) in KEY_IN_FIELDS:
                scope[_KEYS] = self._keys
            elif path not in OPEN_PATHS and not path.startswith(OPEN_PREFIXES):
                await to_response(to_fault(InvalidKey()), scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def client_of(scope: Scope) -> str:
    """Returns who sent a request: the name of its key, or else its address."""
    name: str | None = scope.get(_CLIENT)
    return f"key:{name}" if name is not None else f"ip:{(scope.get('client') or ('-',))[0]}"


def require_key(scope: Scope, key: object) -> None:
    """Checks a key that came as a field, unless the server needs none or one came in the head.

    Raises:
        InvalidKey: if it is not valid.
    """
    keys: ApiKeys | None = scope.pop(_KEYS, None)
    if keys is not None:
        scope[_CLIENT] = keys.name_of(key.encode()) if isinstance(key, str) else None
        if scope[_CLIENT] is None:
            raise InvalidKey


def _key_of(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return bytes(value[7:].strip())
        if name == b"x-api-key":
            return bytes(value.strip())
    return b""
