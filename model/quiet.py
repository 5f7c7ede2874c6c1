"""Quiet loading of Keras and its framework: no log lines of TensorFlow in the output of a command,
no files of libraries in the home folder.

`TF_CPP_MIN_LOG_LEVEL` silences most log lines, but only after TensorFlow has read it: its libraries
log some lines ("oneDNN custom operations are on") while they are loaded. A value set by the user is
respected, here too.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
#: Errors that matter to a user also raise exceptions.
ONLY_FATAL = "3"

_EARLY = re.compile(rb"(?:WARNING: All log messages before absl|([IWEF])\d{4} \d\d:\d\d:).*\n?")

#: Environment variable for the files of a library, and their default folder.
_LIBRARY_FOLDERS = (("KERAS_HOME", "~/.keras"), ("MPLCONFIGDIR", "~/.config/matplotlib"))


@contextmanager
def quiet_framework() -> Iterator[None]:
    """Suppresses TensorFlow's log lines, and files in the home folder, while Keras and its
    framework are imported inside it. Anything else written to standard error appears afterwards."""
    keep_libraries_out_of_home()
    os.environ.setdefault(LEVEL, ONLY_FATAL)
    logging.getLogger("tensorflow").addFilter(_is_worth_reading)
    hidden = _hidden_severities()
    if "tensorflow" in sys.modules or not hidden:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not _is_hidden(line, hidden):
                    os.write(2, line)


def keep_libraries_out_of_home() -> None:
    """Makes Keras, and Matplotlib, which it imports if installed, keep their files in a folder that
    is deleted with this process, unless the user already has such files or sets their folder."""
    for variable, usual in _LIBRARY_FOLDERS:
        # `Path.exists` raises an error if the home is that of another user.
        if variable not in os.environ and not os.path.exists(os.path.expanduser(usual)):
            folder = tempfile.TemporaryDirectory(prefix="seq2seq-")
            atexit.register(folder.cleanup)
            os.environ[variable] = folder.name


def _is_worth_reading(record: logging.LogRecord) -> bool:
    """Tells whether a record is anything but advice on retracing: our functions are deliberately
    compiled once for each of a few shapes."""
    return "triggered tf.function retracing" not in record.getMessage()


def _hidden_severities() -> bytes:
    """Returns the first letters of the severities that the level hides."""
    try:
        return b"IWE"[: max(0, int(os.environ[LEVEL]))]
    except ValueError:
        return b""


def _is_hidden(line: bytes, severities: bytes) -> bool:
    found = _EARLY.match(line)
    return found is not None and (found[1] is None or found[1] in severities)
