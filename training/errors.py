"""Errors of training, which extend the tree of `model.errors`.

ConfigError  <- RecipeError      a recipe is invalid
Seq2SeqError <- CorpusError      a corpus cannot be read, or nothing of it is left
CorpusError  <- MisalignedError  sides that should be line-aligned are not
CorpusError  <- MismatchError    two subtitle files are not of one film
Seq2SeqError <- BusyError        another process uses the folder
Seq2SeqError <- CheckpointError  a checkpoint is broken or belongs to another run
Seq2SeqError <- DeviceError      devices or processes cannot train: too few, too small
Seq2SeqError <- DivergenceError  a loss is NaN, or far above the loss of guessing
"""

from model.errors import ConfigError, Seq2SeqError


class RecipeError(ConfigError):
    """A missing or invalid recipe; the message names the key and what is allowed."""


class CorpusError(Seq2SeqError):
    """A corpus that cannot be read, or of which nothing is left."""


class MisalignedError(CorpusError):
    """Two files that should be line-aligned are not, so none of their pairs can be trusted."""


class MismatchError(CorpusError):
    """Two readable subtitle files that do not belong to the same film."""


class BusyError(Seq2SeqError):
    """Another process uses the output folder."""


class CheckpointError(Seq2SeqError):
    """A checkpoint is broken or belongs to another run."""


class DeviceError(Seq2SeqError):
    """Devices or processes cannot train together, or have too little memory."""


class DivergenceError(Seq2SeqError):
    """A loss that is NaN or far above the loss of guessing, from which training does not
    recover."""
