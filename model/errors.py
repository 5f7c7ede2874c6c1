"""Errors that this project raises on purpose. Callers catch by level.

Seq2SeqError
├── ConfigError      a document, option or argument is wrong          (also a ValueError)
├── FolderError      a model folder is missing, partial, altered or from a newer format
├── TokenizerError   a tokenizer file is broken or does not fit the network
├── InputError       a text that the model cannot take: empty, too long   (also a ValueError)
└── EngineError      no engine can run this folder here
"""


class Seq2SeqError(Exception):
    """Root of all errors of this project."""


class ConfigError(Seq2SeqError, ValueError):
    """A document, option or argument is wrong; the message names the key and what is allowed."""


class FolderError(Seq2SeqError):
    """A model folder cannot be read; the message names every fault that was found."""


class TokenizerError(Seq2SeqError):
    """A tokenizer file is broken or does not belong to the network beside it."""


class InputError(Seq2SeqError, ValueError):
    """A text that the model cannot take."""


class EngineError(Seq2SeqError):
    """No engine can run this model folder on this machine."""
