"""Errors that this project raises deliberately. Callers catch them by level.

Seq2SeqError
├── ConfigError      a document, option or argument is wrong          (also a ValueError)
├── FolderError      a model folder is missing, partial, altered or of a newer format
├── TokenizerError   a tokenizer file is broken or does not fit the network
├── InputError       the model cannot read a text: empty, too long      (also a ValueError)
└── EngineError      no engine can run this folder on this machine
"""

import errno
import os


class Seq2SeqError(Exception):
    """Root of all errors of this project."""


class ConfigError(Seq2SeqError, ValueError):
    """An invalid document, option or argument; the message names the key and what is allowed."""


class FolderError(Seq2SeqError):
    """An unreadable model folder; the message names every fault."""


class TokenizerError(Seq2SeqError):
    """A tokenizer file that is broken or does not match the network."""


class InputError(Seq2SeqError, ValueError):
    """A text that the model cannot read."""


class EngineError(Seq2SeqError):
    """No engine can run this model folder on this machine."""


#: Remedies for files or folders that cannot be read or written.
_REMEDIES = {
    errno.ENOSPC: "Free some space, then start again.",
    errno.EDQUOT: "Free some space, then start again.",
    errno.EFBIG: "Raise the limit on the size of a file (`ulimit -f`), then start again.",
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`), then start again.",
    errno.EACCES: "Change its permissions, or choose another path.",
    errno.EPERM: "Change its permissions, or choose another path.",
    errno.EROFS: "Choose another path.",
    errno.EISDIR: "Choose another path: this one is a folder.",
    errno.ENOTDIR: "Choose another path: a folder in this one is a file.",
    errno.EEXIST: "Choose another path: a folder in this one is a file.",
}


def explain(error: OSError) -> str:
    """Explains why a file operation failed and what to do."""
    number = error.errno or 0
    reason = os.strerror(number) if number else str(error)
    return f"{reason}. {_REMEDIES.get(number, 'Fix this, then start again.')}"
