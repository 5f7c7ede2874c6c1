"""Quality against cost: BLEU on one test set over CPU milliseconds for a sentence.

    pip install ctranslate2
    python -m benchmarks.pareto SOURCE TARGET MODEL [MODEL ...] [--plot FILE]

Each model folder translates SOURCE, a file with a sentence in each line, with its graphs in float32
and int8, as far as it has them, greedily and with a beam of 4. Where `export --format ctranslate2`
wrote a folder beside a model, CTranslate2 does the same with its weights in int8. All run on one
thread, in turn in each round, from text to text, with batches of 1 (the first sentences only) and
of 32. Times are process CPU, medians of rounds. The end tells, for each point of CTranslate2, which
point of ours has no lower BLEU, and how much faster it is.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import ctranslate2

from model.config import SearchOptions
from model.engine import EngineName
from model.engine.keras import load_network
from model.folder import ModelFolder, load_folder
from model.generator import Generator
from training.files.paths import read_lines
from training.metrics import corpus_bleu

BEAMS = (1, 4)
#: Our engines, by the graph that each needs.
ENGINES: dict[str, EngineName] = {"step.onnx": "onnx", "step.int8.onnx": "onnx-int8"}
BATCHES = (1, 32)
#: Sentences that are translated one by one.
ALONE = 300

Translate = Callable[[Sequence[str]], list[str]]


@dataclass
class Point:
    """A system that translates in one way.

    Attributes:
        name: of the model, its engine and its search.
        weights: how many there are.
        translate: from texts to texts.
        is_peer: whether it is another's engine.
        language: of its translations.
        bleu: on the whole test set.
        milliseconds: of CPU for a sentence, in each round, by the size of batches.
    """

    name: str
    weights: int
    translate: Translate
    is_peer: bool
    language: str
    bleu: float = 0.0
    milliseconds: dict[int, list[float]] = field(default_factory=lambda: {b: [] for b in BATCHES})

    def cost(self, batch: int) -> float:
        """Returns the median of the rounds."""
        return statistics.median(self.milliseconds[batch])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", type=Path, help="a picture to write, as .svg or .png")
    chosen = parser.parse_args()
    sources, targets = (
        [line for _, line in read_lines(path)] for path in (chosen.source, chosen.target)
    )
    points = [point for path in chosen.models for point in points_of(path)]
    for _ in range(chosen.rounds):
        for point in points:
            run(point, sources, targets)
    print(f"{len(sources):,} sentences\n")
    print("| system | weights, M | BLEU | batch 1, ms | batch 32, ms |\n|---|---|---|---|---|")
    for point in sorted(points, key=lambda each: -each.bleu):
        costs = " | ".join(f"{point.cost(batch):.2f}" for batch in BATCHES)
        print(f"| {point.name} | {point.weights / 1e6:.1f} | {point.bleu:.1f} | {costs} |")
    print()
    for peer in points:
        if peer.is_peer:
            print(compared(peer, [each for each in points if not each.is_peer]))
    if chosen.plot:
        plot(points, chosen.plot)


def points_of(path: Path) -> list[Point]:
    """Returns the ways in which a model can translate."""
    folder, points = load_folder(path), list[Point]()
    weights = load_network(folder).count_params()
    language = next(reversed(folder.config.languages), "")
    for file, engine in ENGINES.items():
        if file in folder.config.sha256:
            generator = Generator.load(path, engine, threads=1)
            for beam_size in BEAMS:
                options = folder.config.search.model_copy(update={"beam_size": beam_size})
                name = f"{folder.config.name}, {engine}, {search_name(beam_size)}"
                translate = partial(ours, generator, options)
                points.append(Point(name, weights, translate, False, language))
    converted = path.parent / "ctranslate2"
    if converted.is_dir():
        peer = Peer(converted, folder)
        for beam_size in BEAMS:
            name = f"{folder.config.name}, CTranslate2 int8, {search_name(beam_size)}"
            points.append(Point(name, weights, partial(peer.translate, beam_size), True, language))
    return points


def search_name(beam_size: int) -> str:
    return "greedy" if beam_size == 1 else f"beam {beam_size}"


def ours(generator: Generator, options: SearchOptions, texts: Sequence[str]) -> list[str]:
    return [found[0].text for found in generator.generate(texts, options)]


class Peer:
    """CTranslate2 with a model of ours, from text to text.

    Args:
        path: what `export --format ctranslate2` wrote.
        folder: the model's, with its tokenizer and the options of its search.
    """

    def __init__(self, path: Path, folder: ModelFolder) -> None:
        self._translator = ctranslate2.Translator(
            str(path), compute_type="int8", intra_threads=1, inter_threads=1
        )
        self._tokenizer, self._options = folder.tokenizer, folder.config.search
        pieces = self._tokenizer.target_pieces(range(self._tokenizer.target_vocab_size))
        self._ids = dict(zip(pieces, range(len(pieces)), strict=True))

    def translate(self, beam_size: int, texts: Sequence[str]) -> list[str]:
        tokenizer, options = self._tokenizer, self._options
        found = self._translator.translate_batch(
            [tokenizer.source_pieces(tokenizer.source_ids(text)) for text in texts],
            beam_size=beam_size,
            length_penalty=options.length_penalty,
            max_decoding_length=options.max_tokens,
            max_batch_size=len(texts),
        )
        ids = ([self._ids[piece] for piece in each.hypotheses[0]] for each in found)
        return [tokenizer.target_text(own) for own in ids]


def run(point: Point, sources: Sequence[str], targets: Sequence[str]) -> None:
    """Translates, and adds what it cost."""
    for batch in BATCHES:
        own = sources[:ALONE] if batch == 1 else sources
        begin, found = time.process_time(), list[str]()
        for first in range(0, len(own), batch):
            found += point.translate(own[first : first + batch])
        point.milliseconds[batch].append(1e3 * (time.process_time() - begin) / len(own))
    point.bleu = corpus_bleu(found, targets, language=point.language)[0]


def compared(peer: Point, points: Sequence[Point]) -> str:
    """Returns how much faster the quickest of `points` with the BLEU of `peer` is."""
    words = [f"{peer.name}:"]
    for batch in BATCHES:
        as_good = [each for each in points if each.bleu >= peer.bleu]
        if not as_good:
            return f"{peer.name}: none of ours is as good"
        best = min(as_good, key=lambda each: each.cost(batch))
        ratio = peer.cost(batch) / best.cost(batch)
        words.append(f"batch {batch}: {best.name} is {ratio:.1f} times as fast;")
    return " ".join(words).rstrip(";")


def plot(points: Sequence[Point], path: Path) -> None:
    """Draws BLEU over milliseconds, for each size of batches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    for axes, batch in zip(figure.subplots(1, 2, sharey=True), BATCHES, strict=True):
        for is_peer, marker in ((False, "o"), (True, "s")):
            chosen = [each for each in points if each.is_peer is is_peer]
            axes.scatter(
                [each.cost(batch) for each in chosen],
                [each.bleu for each in chosen],
                marker=marker,
                label="CTranslate2" if is_peer else "Seq2Seq",
            )
            for each in chosen:
                axes.annotate(each.name, (each.cost(batch), each.bleu), fontsize=6)
        axes.set(xscale="log", xlabel="CPU ms a sentence", ylabel="BLEU", title=f"batch {batch}")
        axes.legend(loc="lower right")
    figure.savefig(path)


if __name__ == "__main__":
    main()
