"""Translated files, kept in memory until they are fetched or a few minutes have passed."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

#: For how long a file is kept, and how many bytes of them all together.
KEPT_SECONDS, MAX_KEPT_BYTES = 600.0, 64 * 2**20


@dataclass(frozen=True)
class KeptFile:
    """A file.

    Attributes:
        name: what a browser saves it as.
        data: its bytes.
        until: the monotonic clock's time when it is forgotten.
    """

    name: str
    data: bytes
    until: float


class FileStore:
    """Files by keys that cannot be guessed. The oldest go first when there are too many.

    Args:
        max_bytes: of all files together; a single larger file is kept alone.
    """

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._files: dict[str, KeptFile] = {}

    def put(self, name: str, data: bytes) -> str:
        """Keeps a file. Returns its key."""
        key = secrets.token_urlsafe(16)
        self._files[key] = KeptFile(name, data, time.monotonic() + KEPT_SECONDS)
        self._forget()
        return key

    def get(self, key: str) -> KeptFile | None:
        """Returns the file of a key, or None if it is not there, or no longer."""
        self._forget()
        return self._files.get(key)

    def _forget(self) -> None:
        now = time.monotonic()
        total = sum(len(each.data) for each in self._files.values())
        for key, each in list(self._files.items()):
            if each.until >= now and (total <= self._max_bytes or len(self._files) == 1):
                break
            total -= len(each.data)
            del self._files[key]
