"""The leaves that training adds to `model.errors`.

ConfigError  <- RecipeError      a recipe is wrong
Seq2SeqError <- CorpusError      a corpus cannot be read, or nothing of it is left
CorpusError  <- MisalignedError  sides that should be line-aligned are not
CorpusError  <- MismatchError    two subtitle files are not of one film
Seq2SeqError <- CheckpointError  a checkpoint is broken or belongs to another run
Seq2SeqError <- DivergenceError  the loss is no number any more
"""

from model.errors import ConfigError, Seq2SeqError


class RecipeError(ConfigError):
    """A recipe is missing or wrong; the message names the key and what is allowed."""


class CorpusError(Seq2SeqError):
    """A corpus cannot be read, or nothing of it is left."""


class MisalignedError(CorpusError):
    """Two files that should be line-aligned are not, so none of their pairs can be trusted."""


class MismatchError(CorpusError):
    """Two subtitle files do not fit each other, though both can be read."""


class CheckpointError(Seq2SeqError):
    """A checkpoint is broken or belongs to another run."""


class DivergenceError(Seq2SeqError):
    """The loss is no number any more, from which training does not recover."""
