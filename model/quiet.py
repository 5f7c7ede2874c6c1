"""TensorFlow's own log lines, kept out of a command's output.

`TF_CPP_MIN_LOG_LEVEL` silences most of them, but only once TensorFlow has read it: its libraries
log some lines ("oneDNN custom operations are on") while they are loaded. A value that the user has
set is kept, and applies here too.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
#: Errors that matter to a user are exceptions of TensorFlow too.
ONLY_FATAL = "3"

_EARLY = re.compile(rb"(?:WARNING: All log messages before absl|([IWEF])\d{4} \d\d:\d\d:).*\n?")


@contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Hides TensorFlow's log lines while it is imported. Everything else that is written to
    standard error meanwhile appears afterwards."""
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


def _is_worth_reading(record: logging.LogRecord) -> bool:
    """Tells whether a record is no advice on retracing: our functions are compiled once for each of
    a few shapes, on purpose."""
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
