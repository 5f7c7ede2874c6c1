"""Translated files, kept in memory for a few minutes."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

#: How long a file is kept, and the maximum size of all files together.
LIFETIME_SECONDS, MAX_STORED_BYTES = 600.0, 64 * 2**20


@dataclass(frozen=True)
class StoredFile:
    """A stored file.

    Attributes:
        name: file name for the download.
        data: contents.
        expires_at: time at which it is deleted, by the monotonic clock.
    """

    name: str
    data: bytes
    expires_at: float


class FileStore:
    """Files under keys that cannot be guessed. If there are too many, the oldest are deleted.

    Args:
        max_bytes: maximum size of all files together; a single larger file is kept alone.
    """

    def __init__(self, max_bytes: int = MAX_STORED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._files: dict[str, StoredFile] = {}

    def put(self, name: str, data: bytes) -> str:
        """Stores a file. Returns its key."""
        key = secrets.token_urlsafe(16)
        self._files[key] = StoredFile(name, data, time.monotonic() + LIFETIME_SECONDS)
        self._evict()
        return key

    def get(self, key: str) -> StoredFile | None:
        """Returns the file of a key, or None if it is unknown or expired."""
        self._evict()
        return self._files.get(key)

    def _evict(self) -> None:
        now = time.monotonic()
        total = sum(len(each.data) for each in self._files.values())
        for key, each in list(self._files.items()):
            if each.expires_at >= now and (total <= self._max_bytes or len(self._files) == 1):
                break
            total -= len(each.data)
            del self._files[key]
