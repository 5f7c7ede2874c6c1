"""Errors that this project raises deliberately. Callers catch them by level.

Seq2SeqError
├── ConfigError      a document, option or argument is wrong          (also a ValueError)
├── FolderError      a model folder is missing, partial, altered or of a newer format
├── TokenizerError   a tokenizer file is broken or does not fit the network
├── InputError       the model cannot read a text: empty, too long      (also a ValueError)
└── EngineError      no engine can run this folder on this machine
"""


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
