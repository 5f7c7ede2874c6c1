"""The leaves that training adds to `model.errors`.

ConfigError  <- RecipeError      a recipe is wrong
Seq2SeqError <- CorpusError      a corpus cannot be read, or nothing of it is left
Seq2SeqError <- CheckpointError  a checkpoint is broken or belongs to another run
Seq2SeqError <- DivergenceError  a loss is no number, or far above that of guessing
"""

from model.errors import ConfigError, Seq2SeqError


class RecipeError(ConfigError):
    """A recipe is missing or wrong; the message names the key and what is allowed."""


class CorpusError(Seq2SeqError):
    """A corpus cannot be read, or nothing of it is left."""


class CheckpointError(Seq2SeqError):
    """A checkpoint is broken or belongs to another run."""


class DivergenceError(Seq2SeqError):
    """A loss is no number, or far above that of guessing, from which training does not recover."""
