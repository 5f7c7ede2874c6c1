"""Locks of folders, which prevent two processes from writing to one."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.errors import BusyError

LOCK_FILE = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Prevents other processes of this machine from locking `folder` while this context is open.
    The lock of a killed process is released. On file systems without locks, nothing is locked.

    Raises:
        BusyError: if another process has locked it.
        OSError: if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise BusyError(
                    f"{folder}: another process is using it. Wait until it ends, or set another "
                    "output (`output` in the recipe; -o of `train`)."
                ) from None
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
        yield
