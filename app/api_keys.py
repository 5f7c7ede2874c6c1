"""API keys. Knows no HTTP.

The file has a line for each key: its SHA-256 sum in hexadecimal, a space, and the name of whoever
has it. Empty lines and those that begin with `#` do not count. So nobody who reads it gets a key.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from pathlib import Path

from model.errors import ConfigError

logger = logging.getLogger(__name__)

#: Time between two looks whether the file has changed.
RELOAD_SECONDS = 2.0

_LINE = re.compile(r"([0-9a-fA-F]{64})\s+(\S.{0,99})")


class ApiKeys:
    """The keys of a file, which is read again when it changes.

    Args:
        path: of the file.

    Raises:
        ConfigError: if it cannot be read; names the line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._modified = 0
        self._next_look = 0.0
        self._names: dict[bytes, str] = {}
        self._read()

    def name_of(self, key: bytes) -> str | None:
        """Returns the name of whoever has `key`, or None if nobody has.

        The time that it takes tells nothing of the keys. What is compared are SHA-256 sums, and
        nobody can choose the first bytes of one, as a guess byte by byte would have to.
        """
        if time.monotonic() >= self._next_look:
            self._look()
        return self._names.get(hashlib.sha256(key).digest())

    def _look(self) -> None:
        """Reads the file again if it has changed. One that is wrong changes nothing."""
        self._next_look = time.monotonic() + RELOAD_SECONDS
        try:
            if self._path.stat().st_mtime_ns != self._modified:
                self._read()
        except (ConfigError, OSError) as error:
            logger.error("%s; the keys stay as they are", error)

    def _read(self) -> None:
        try:
            self._modified = self._path.stat().st_mtime_ns
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeError) as error:
            raise ConfigError(f"{self._path}: cannot be read ({error}).") from None
        names = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            match = _LINE.fullmatch(line.strip())
            if match is None:
                raise ConfigError(
                    f"{self._path}:{number}: must be a SHA-256 sum, a space and a name."
                )
            names[bytes.fromhex(match[1])] = match[2]
        self._names = names
