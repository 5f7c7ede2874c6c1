"""Export of a network as graphs, which are written only if they agree with the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model.contract import Engine, StateTable
from model.engine.keras import KerasEngine, load_network
from model.engine.onnx import OnnxEngine, Precision
from model.engine.shortlist import Shortlist
from model.errors import EngineError
from model.folder import (
    GRAPH_FILES,
    SHORTLIST_FILES,
    WEIGHTS_FILE,
    load_folder,
    write_durably,
    write_folder,
)
from model.networks.tokens import TokenSeq2Seq
from model.tokenizer import BOS_ID, EOS_ID
from model.types import Int32
from training.export.calibration import Ranges
from training.export.converted import converted_files, difference_of
from training.export.encoder import encoder_graph
from training.export.shortlist import build_shortlist
from training.export.step import gathered_graph, shortlist_graph, step_graph
from training.export.weights import halved, round_weights
from training.files.paths import writing
from training.prepare.prepare import PreparedCorpus, open_prepared
from training.prepare.shards import Shard, evenly_spaced, padded
from training.recipe import Recipe

#: Number of sources on which engines are compared, maximum steps per source, and batch size.
SAMPLE = 256
MAX_STEPS = 30
BATCH = 32
#: Number of these examples on which the ranges of activations are measured.
MEASURED = 64
#: Tokens whose log-probabilities differ by less than this count as tied.
TIE = 1e-3
#: Minimum share of steps in which graphs of a precision choose the same next token as the network.
MIN_AGREEMENT: dict[Precision, float] = {"float32": 1.0, "int8": 0.95}
#: Maximum difference of a log-probability from the network's after conversion, in nats.
MAX_DIFFERENCE = 1e-3
#: Shortlist sizes to try, and the minimum share of steps in which a shortlist contains the next
#: token.
SHORTLIST_SIZES = (512, 1024, 2048)
MIN_SHORTLIST_AGREEMENT = 0.985
#: Minimum ratio of vocabulary to shortlist; a smaller vocabulary is just as fast without one.
MIN_GAIN = 4
_PREPARED_AGAIN = (
    "The corpus was prepared again after the model was trained: run `fit` again, then `export`."
)


@dataclass(frozen=True)
class Agreement:
    """Agreement of graphs with their network on the same prefixes.

    Attributes:
        steps: steps compared.
        share: share of the steps in which both choose the same next token.
        difference: mean absolute difference of their log-probabilities of the network's token.
    """

    steps: int
    share: float
    difference: float


def export(
    recipe: Recipe,
    precisions: Sequence[Precision],
    *,
    half_weights: bool = False,
    with_shortlist: bool = True,
) -> str:
    """Adds graphs in the given precisions to the model that `fit` wrote, and removes other graphs.

    Args:
        half_weights: whether weights keep 8 significant bits, in less than half of the space.
        with_shortlist: whether int8 graphs may have a shortlist.

    Returns:
        one line per precision.

    Raises:
        FolderError: if there is no model yet.
        CorpusError: if the corpus was tokenised with another tokenizer than the model's.
        EngineError: if graphs disagree with the network; then nothing is written.
    """
    path = Path(recipe.output) / "model"
    folder = load_folder(path)
    corpus = open_prepared(recipe)
    corpus.check_tokenizers(folder, _PREPARED_AGAIN)
    examples = _sampled_examples(corpus)
    sources = [source for source, _ in examples]
    network = load_network(folder)
    lines, files = [], _other_files(path, folder.config.sha256)
    if half_weights:
        round_weights(network)
        files[WEIGHTS_FILE] = halved(files[WEIGHTS_FILE])
    ranges = Ranges(network, examples[:: SAMPLE // MEASURED])
    reference = KerasEngine(network)
    for precision in precisions:
        graphs = graph_files(network, precision, ranges)
        files |= graphs
        lines.append(f"{path}: {_agreement(reference, graphs, sources, precision, path)}")
    if "int8" in precisions and with_shortlist:
        graphs = {name: files[name] for name in GRAPH_FILES["int8"]}
        line, shortlist = _shortlist_files(network, graphs, corpus.train, sources, ranges)
        lines.append(f"{path}: {line}")
        files |= shortlist
    write_folder(path, folder.config, files)
    return "\n".join(lines)


def _agreement(
    reference: Engine,
    graphs: dict[str, bytes],
    sources: Sequence[Int32],
    precision: Precision,
    path: Path,
) -> str:
    """Checks that graphs agree with their network; returns a line about it.

    Raises:
        EngineError: if they do not.
    """
    found = compare(reference, OnnxEngine(*graphs.values()), sources, name=precision)
    if found.share < MIN_AGREEMENT[precision]:
        raise EngineError(
            f"{path}: the {precision} graphs choose another token than the network in "
            f"{1 - found.share:.2%} of {found.steps:,} steps; at most "
            f"{1 - MIN_AGREEMENT[precision]:.0%} is allowed. Nothing was written. Train the model "
            "for longer, or choose another --precision."
        )
    size = sum(map(len, graphs.values())) / 2**20
    return (
        f"{precision}, {size:.1f} MiB; the network's next token in {found.share:.2%} of "
        f"{found.steps:,} steps, log-probabilities {found.difference:.1e} apart"
    )


def convert(recipe: Recipe) -> str:
    """Converts the model that `fit` wrote for CTranslate2, and writes it with its tokenizers to the
    folder `ctranslate2` of the recipe's output.

    Returns:
        a line about it.

    Raises:
        FolderError: if there is no model yet.
        CorpusError: if the corpus was tokenised with another tokenizer than the model's.
        EngineError: if CTranslate2 is not installed, does not support the network, or gives
            different log-probabilities; then nothing is written.
    """
    folder = load_folder(Path(recipe.output) / "model")
    corpus = open_prepared(recipe)
    corpus.check_tokenizers(folder, _PREPARED_AGAIN)
    network, tokenizer = load_network(folder), corpus.tokenizer
    pieces = (
        tokenizer.source_pieces(range(tokenizer.source_vocab_size)),
        tokenizer.target_pieces(range(tokenizer.target_vocab_size)),
    )
    files = converted_files(network, *pieces)
    examples = _sampled_examples(corpus)
    difference = difference_of(network, files, pieces, examples)
    path = Path(recipe.output) / "ctranslate2"
    if not difference < MAX_DIFFERENCE:
        raise EngineError(
            f"{path}: CTranslate2 gives tokens log-probabilities that are up to {difference:.1e} "
            "from the network's. Nothing was written."
        )
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        for name, contents in {**files, **corpus.tokenizer_files}.items():
            write_durably(path / name, contents)
    return (
        f"{path}: for CTranslate2; log-probabilities of {len(examples):,} targets at most "
        f"{difference:.1e} from the network's"
    )


def _sampled_examples(corpus: PreparedCorpus) -> list[tuple[Int32, Int32]]:
    """Returns sources and targets on which graphs are compared with their network."""
    shard = next(part for part in (corpus.dev, corpus.test, corpus.train) if len(part))
    chosen = evenly_spaced(len(shard), SAMPLE)
    return list(zip(shard.sources.take(chosen), shard.targets.take(chosen), strict=True))


def graph_files(
    network: TokenSeq2Seq, precision: Precision, ranges: Ranges | None = None
) -> dict[str, bytes]:
    """Builds the encoder and step graphs; returns file name -> contents. Without `ranges` of
    activations on a corpus, uses those on random tokens.
    """
    ranges = ranges or Ranges(network)
    builders = (encoder_graph, step_graph)
    return {
        name: build(network, precision, ranges)
        for name, build in zip(GRAPH_FILES[precision], builders, strict=True)
    }


def shortlist_files(
    network: TokenSeq2Seq, shortlist: Shortlist, ranges: Ranges | None = None
) -> dict[str, bytes]:
    """Builds the graphs over candidates; returns file name -> contents of `shortlist` and of them.
    `ranges` as in `graph_files`, and those of `shortlist`."""
    ranges = ranges or Ranges(network)
    builders = (shortlist_graph, gathered_graph)
    graphs = [build(network, shortlist, ranges) for build in builders]
    return dict(zip(SHORTLIST_FILES, (shortlist.to_bytes(), *graphs), strict=True))


def _shortlist_files(
    network: TokenSeq2Seq,
    graphs: dict[str, bytes],
    train: Shard,
    sources: Sequence[Int32],
    ranges: Ranges,
) -> tuple[str, dict[str, bytes]]:
    """Builds the smallest shortlist that is good enough for the int8 `graphs`, if any; returns a
    line about it and its files."""
    whole = OnnxEngine(*graphs.values())
    vocab_size = network.config.target_vocab_size
    for size in SHORTLIST_SIZES:
        if size * MIN_GAIN > vocab_size:
            break
        shortlist = build_shortlist(network, train, size, ranges)
        files = shortlist_files(network, shortlist, ranges)
        short = OnnxEngine(*graphs.values(), shortlist=tuple(files.values()))
        found = compare(whole, short, sources, name=f"shortlist {size}")
        if found.share >= MIN_SHORTLIST_AGREEMENT:
            line = (
                f"shortlist of {size} of {vocab_size:,} words, the same next token in "
                f"{found.share:.2%} of {found.steps:,} steps"
            )
            return line, files
    return "no shortlist: one that keeps the next tokens would not be short", {}


def compare(
    network: Engine, graphs: Engine, sources: Sequence[Int32], *, name: str = "compare"
) -> Agreement:
    """Compares the next tokens of both engines on the greedy hypotheses of `network`."""
    steps, agreeing, distance = 0, 0, 0.0
    for start in tqdm(range(0, len(sources), BATCH), desc=name, leave=False, disable=None):
        batch = sources[start : start + BATCH]
        lengths = np.array([len(source) for source in batch], np.int32)
        source_ids = padded(batch)
        tables = [_new_table(engine, source_ids, lengths) for engine in (network, graphs)]
        tokens = np.full((len(batch), 1), BOS_ID, np.int32)
        is_open = np.ones(len(batch), bool)
        for _ in range(MAX_STEPS):
            expected, found = (table.step(None, tokens, 2) for table in tables)
            tokens = np.ascontiguousarray(expected.tokens[:, :, 0])
            is_tie = expected.logprobs[:, 0, 0] - expected.logprobs[:, 0, 1] < TIE
            agrees = is_tie | (found.tokens[:, 0, 0] == tokens[:, 0])
            apart = np.abs(found.logprobs - expected.logprobs)[:, 0, 0]
            steps += int(is_open.sum())
            agreeing += int((agrees & is_open).sum())
            distance += float(apart[agrees & is_open].sum())
            is_open &= tokens[:, 0] != EOS_ID
            if not is_open.any():
                break
    return Agreement(steps, agreeing / steps, distance / max(agreeing, 1))


def _new_table(engine: Engine, source_ids: Int32, lengths: Int32) -> StateTable:
    """Builds a table with one row per source, with shortlists if the engine has them."""
    rows = np.arange(len(source_ids))
    table = engine.new_table(1, use_shortlist=True)
    table.insert(rows, engine.encode(source_ids, lengths, np.ones(len(rows), bool)), rows)
    return table


def _other_files(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Reads the files that `export` does not write."""
    own = {name for files in (*GRAPH_FILES.values(), SHORTLIST_FILES) for name in files}
    return {name: (path / name).read_bytes() for name in names if name not in own}
