"""TensorFlow's own lines do not appear; what else is written to standard error does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from model.quiet import LEVEL

#: A library that logs while it is loaded, as TensorFlow's do, named as it.
PROGRAM = """
import os, sys, logging
from model.quiet import quiet_framework
with quiet_framework():
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are ...\\n")
    os.write(2, b"I0000 00:00:1.2 34 port.cc:153] custom operations are on\\n")
    os.write(2, b"E0000 00:00:1.2 34 util.cc:1] supports DT_BOOL only\\n")
    os.write(2, b"F0000 00:00:1.2 34 init.cc:1] cannot go on\\n")
    print("a warning", file=sys.stderr)
logging.basicConfig(format="%(message)s")
logging.getLogger("tensorflow").warning("5 out of the last 9 calls triggered tf.function retracing")
logging.getLogger("tensorflow").warning("disk on fire")
print(os.environ["TF_CPP_MIN_LOG_LEVEL"])
"""


def lines_of(program: str, level: str | None) -> tuple[list[str], list[str]]:
    """What a program prints on standard output and error, with or without a level."""
    environment = {name: value for name, value in os.environ.items() if name != LEVEL}
    environment |= {LEVEL: level} if level is not None else {}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines(), done.stderr.splitlines()


def test_only_what_matters_is_written() -> None:
    output, errors = lines_of(PROGRAM, None)
    assert output == ["3"]
    assert [line.split(" ")[0] for line in errors] == ["F0000", "a", "disk"]


@pytest.mark.parametrize(("level", "severities"), [("0", "WIEF"), ("1", "EF"), ("x", "WIEF")])
def test_a_level_of_the_user_is_kept(level: str, severities: str) -> None:
    output, errors = lines_of(PROGRAM, level)
    assert output == [level]
    assert [line[0] for line in errors] == [*severities, "a", "d"]


def test_tensorflow_is_silent() -> None:
    program = (
        "from model.quiet import quiet_framework\n"
        "with quiet_framework():\n    import tensorflow as tf\n"
        "tf.linalg.matmul(tf.ones((2, 2)), tf.ones((2, 2)))\n"
    )
    assert lines_of(program, None) == ([], [])


def test_a_home_that_cannot_be_looked_at_is_left_alone() -> None:
    program = (
        "import os\nfrom model.quiet import keep_libraries_out_of_home\n"
        "os.environ.pop('KERAS_HOME', None)\n"
        "os.environ['HOME'] = '/' + 'x' * 300  # as the home of another user\n"
        "keep_libraries_out_of_home()\nprint('seq2seq-' in os.environ['KERAS_HOME'])\n"
    )
    assert lines_of(program, None) == (["True"], [])
