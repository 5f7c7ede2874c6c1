"""A tiny model folder that is trained once, and what else many tests share."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from hypothesis import HealthCheck, settings

from model.config import ModelConfig, NetworkConfig, TextConfig
from model.folder import SOURCE_TOKENIZER_FILE, WEIGHTS_FILE, load_folder, write_folder
from model.tokenizer import Tokenizer

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Tests leave nothing in the home folder.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", "")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# A shell that runs the tests in the background has children ignore interrupts, which some send.
signal.signal(signal.SIGINT, signal.default_int_handler)

#: The same examples in every run and on every machine, however slow it is.
settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("repeatable")

#: How long a test waits for what must happen. Only a fault takes so long, on any machine.
PATIENCE_SECONDS = 120.0

SENTENCES = (
    "hello there",
    "hello, how are you?",
    "i am fine, thank you",
    "what is your name?",
    "my name is robin",
    "where are you from?",
    "i like films and music",
    "do you like the film?",
    "yes, it was great",
    "goodbye and see you soon",
)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The real corpora; tests that need them skip where they are absent."""
    folder = Path(os.environ.get("SEQ2SEQ_DATA", "../shared/data")).absolute()
    if not folder.is_dir():
        pytest.skip(f"the corpora are not at {folder}: set SEQ2SEQ_DATA")
    return folder


@pytest.fixture(scope="session")
def tokenizer_model() -> bytes:
    """A SentencePiece model of a few dozen pieces."""
    return train_sentencepiece(SENTENCES)


@pytest.fixture(scope="session")
def untrained_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer_model: bytes) -> Path:
    """A valid model folder whose weights are random: its answers are nonsense, but always the
    same."""
    import keras

    from model.networks.tokens import TokenSeq2Seq

    text = TextConfig(lowercase_source=True, plain_punctuation=True, context_turns=2)
    size = Tokenizer(text, tokenizer_model).source_vocab_size
    keras.utils.set_random_seed(7)
    config = NetworkConfig(
        source_vocab_size=size,
        target_vocab_size=size,
        embedding_units=16,
        encoder_units=12,
        decoder_units=24,
        share_embeddings=True,
    )
    network = TokenSeq2Seq(config)
    for weight in network.weights:  # sharper than an initial network, so that answers differ
        weight.assign(weight * 4.0)
    path = tmp_path_factory.mktemp("models") / "untrained"
    weights = path.parent / f"w.{WEIGHTS_FILE}"
    network.save_weights(weights)
    document = ModelConfig(
        name="untrained", task="reply", languages=("en",), network=config, text=text
    )
    files = {SOURCE_TOKENIZER_FILE: tokenizer_model, WEIGHTS_FILE: weights.read_bytes()}
    write_folder(path, document, files)
    return path


@pytest.fixture(scope="session")
def exported_folder(tmp_path_factory: pytest.TempPathFactory, untrained_folder: Path) -> Path:
    """`untrained_folder` with graphs of both precisions and a shortlist of 32 words."""
    from model.engine.keras import load_network
    from model.engine.shortlist import Shortlist
    from training.export.calibration import Ranges
    from training.export.export import graph_files, shortlist_files
    from training.export.projection import shortlist_columns

    folder = load_folder(untrained_folder)
    network = load_network(folder)
    files = {name: (untrained_folder / name).read_bytes() for name in folder.config.sha256}
    graphs = {**graph_files(network, "float32"), **graph_files(network, "int8")}
    size = network.config.target_vocab_size
    others = np.zeros(network.decoder.readout_units), 0.0
    shortlist = Shortlist(
        frequent=np.arange(3, size + 3, dtype=np.int32) % size,
        likely=np.random.default_rng(0).integers(3, size, (size, 6)).astype(np.int32),
        always=16,
        size=33,
        **shortlist_columns(network, Ranges(network), others),
    )
    graphs |= shortlist_files(network, shortlist)
    path = tmp_path_factory.mktemp("models") / "exported"
    write_folder(path, folder.config, {**files, **graphs})
    return path


def wait_until(is_so: Callable[[], bool], *, pause_seconds: float = 0.005) -> None:
    """Returns once `is_so`.

    Raises:
        AssertionError: if it is not within `PATIENCE_SECONDS`.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS:g} seconds"
        time.sleep(pause_seconds)


def train_sentencepiece(
    sentences: Iterable[str], *, vocab_size: int = 80, pieces: Sequence[str] = ()
) -> bytes:
    """Bytes of a small SentencePiece model with the special pieces that a tokenizer needs."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        vocab_size=vocab_size,
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        control_symbols=["<sep>"],
        user_defined_symbols=list(pieces),
        normalization_rule_name="identity",
        minloglevel=2,
    )
    return model.getvalue()
