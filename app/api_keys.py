"""API keys. Knows no HTTP.

The file has one line per key: its SHA-256 hash in hexadecimal, a space, and the name of its owner.
Empty lines and lines that begin with `#` are ignored. The file reveals no key.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from pathlib import Path

from model.errors import ConfigError

logger = logging.getLogger(__name__)

#: Interval between checks whether the file has changed.
RELOAD_SECONDS = 2.0

_LINE = re.compile(r"([0-9a-fA-F]{64})\s+(\S.{0,99})")


class ApiKeys:
    """The keys of a file, which is read again when it changes.

    Raises:
        ConfigError: if it cannot be read; names the line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._modified = 0
        self._next_check = 0.0
        self._names: dict[bytes, str] = {}
        self._read()

    def name_of(self, key: bytes) -> str | None:
        """Returns the name of the owner of `key`, or None if it is not valid.

        Its timing reveals nothing about the keys: it compares SHA-256 hashes, whose first bytes an
        attacker cannot choose, as guessing byte by byte would require.
        """
        if time.monotonic() >= self._next_check:
            self._reload_if_changed()
        return self._names.get(hashlib.sha256(key).digest())

    def warn_if_empty(self) -> None:
        """Logs a warning if there is no key."""
        if not self._names:
            logger.warning("%s: has no key, so every request that needs one gets 401", self._path)

    def _reload_if_changed(self) -> None:
        """Reads the file again if it has changed. An invalid file changes nothing."""
        self._next_check = time.monotonic() + RELOAD_SECONDS
        try:
            if self._path.stat().st_mtime_ns != self._modified:
                self._read()
                self.warn_if_empty()
        except (ConfigError, OSError) as error:
            logger.error("%s; the keys are not changed", error)

    def _read(self) -> None:
        try:
            self._modified = self._path.stat().st_mtime_ns
            lines = self._path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeError) as error:
            raise ConfigError(f"{self._path}: cannot be read ({error}).") from None
        names = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            match = _LINE.fullmatch(line.strip())
            if match is None:
                raise ConfigError(
                    f"{self._path}:{number}: must be a SHA-256 hash, a space and a name."
                )
            names[bytes.fromhex(match[1])] = match[2]
        self._names = names
