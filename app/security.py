"""Middleware that requires an API key. Pure ASGI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api_keys import ApiKeys
from app.errors import InvalidKey
from app.http_errors import to_fault, to_response
from app.middleware import route_path

#: Paths that need no key, for monitoring and documentation.
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
#: Prefixes of paths that need no key. The URL of a translated file cannot be guessed.
OPEN_PREFIXES = ("/download_file/", "/health/", "/static/")

#: Routes that also accept the key as a field, as LibreTranslate clients send it. They must call
#: `require_key`.
KEY_IN_FIELDS = frozenset({"/detect", "/translate", "/translate_file"})

_CLIENT, _KEYS = "seq2seq.client", "seq2seq.keys"


class Authentication:
    """Answers 401 to requests without a valid key, except on `OPEN_PATHS`. A new route therefore
    needs a key unless it is listed there."""

    def __init__(self, app: ASGIApp, keys: ApiKeys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            names = map(self._keys.name_of, _keys_of(scope))
            name = next((each for each in names if each is not None), None)
            if name is not None:
                scope[_CLIENT] = name
            elif (path := route_path(scope)) in KEY_IN_FIELDS:
                scope[_KEYS] = self._keys
            elif not _is_open(path):
                await to_response(to_fault(InvalidKey()), path)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def with_bearer_keys(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns an OpenAPI description that says which paths need a key, as `/docs` then asks for."""
    scheme = {"type": "http", "scheme": "bearer"}
    components = {**schema.get("components", {}), "securitySchemes": {"key": scheme}}
    paths = {
        path: {
            method: {**operation, "security": [] if _is_open(path) else [{"key": []}]}
            for method, operation in operations.items()
        }
        for path, operations in schema["paths"].items()
    }
    return {**schema, "components": components, "paths": paths}


def client_of(scope: Scope) -> str:
    """Returns the client of a request: the name of its key, else its address."""
    name: str | None = scope.get(_CLIENT)
    return f"key:{name}" if name is not None else f"ip:{(scope.get('client') or ('-',))[0]}"


def require_key(scope: Scope, key: object) -> None:
    """Checks a key sent as a field, unless the server needs none or a header had a valid one.

    Raises:
        InvalidKey: if the key is not valid.
    """
    keys: ApiKeys | None = scope.pop(_KEYS, None)
    if keys is not None:
        scope[_CLIENT] = keys.name_of(key.encode()) if isinstance(key, str) else None
        if scope[_CLIENT] is None:
            raise InvalidKey


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)


def _keys_of(scope: Scope) -> Iterator[bytes]:
    """Yields the keys in the headers. A proxy may add an `Authorization` of its own."""
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            yield value[7:].strip()
        elif name == b"x-api-key":
            yield value.strip()
