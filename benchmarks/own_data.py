"""Does `train` choose well for files that nobody tuned it on?

    python -m benchmarks.own_data [CORPUS...] [--output runs/own-data]

Makes files as people have them and a model of each with `train`. Beside it, a model of the same
files with the default of every key that `train` chose. Translations are scored on pairs that are
not in the files, answers to a list of questions on that list, other replies on their test part.
Prints how long `train` said it takes, how long it took, and the scores; both models are trained in
turn on the same machine.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpora import lines_of, multi30k, tatoeba
from model.generator import Generator
from model.search.requests import ScoringRequest
from training.markdown import markdown_table
from training.metrics import words_of
from training.recipe_file import data_folder

SEED = 1
#: Pairs that are not in the files, to score translations.
TEST_PAIRS = 1000
#: Exchanges that are not in the files, to score replies.
TEST_EXCHANGES = 1500
#: `train` says e.g. "all commands together take about 1 h 05 min on this machine".
ESTIMATE = re.compile(r"take about (?:(\d+) h )?(?:(\d+) min)?(?:(\d+) s)? on this machine")
SCORE = re.compile(r"^(\S.*): ([\d.]+)$", re.MULTILINE)
#: Where the sections begin that the untuned recipe leaves to the defaults, and other such keys.
CHOSEN_SECTION = re.compile(r"^\[(?:tokenizer|network|fit|search)\]$", re.MULTILINE)
CHOSEN_KEY = re.compile(r"^(?:start_from|output|(?:dev|test)_fraction) = .*\n", re.MULTILINE)
HEADER = (
    "corpus",
    "recipe",
    "said s",
    "took s",
    "perplexity per word",
    "of token counts",
    "unseen per word",
    "BLEU",
    "chrF2",
    "exact match %",
)

Scores = dict[str, float]
Pairs = Sequence[tuple[str, str]]
#: The turns before a reply, and the reply.
Exchanges = Sequence[tuple[Sequence[str], str]]


@dataclass(frozen=True)
class Files:
    """Files as somebody has them.

    Attributes:
        paths: arguments of `train`.
        test: sources and references, line-aligned; empty to score the test part.
        exchanges: exchanges that are not in them.
    """

    paths: Sequence[Path]
    test: Sequence[Path] = ()
    exchanges: Exchanges = ()


def answers(folder: Path) -> Files:
    """Writes 200 questions with their answers, which are to be learnt by heart."""
    pairs = [line.split("\t") for line in Path("recipes/faq.tsv").read_text("utf-8").splitlines()]
    chosen = [(question, answer) for question, answer in pairs[:200]]
    return Files([_write_table(folder / "answers.tsv", chosen)], _write_sides(folder, chosen))


def captions(language: str, folder: Path) -> Files:
    """Writes 5,000 captions of Multi30k and their translations; the development part is unseen."""
    train, dev = (multi30k(part, language) for part in ("train", "val"))
    chosen = random.Random(SEED).sample(train, 5000)
    return Files([_write_table(folder / "captions.tsv", chosen)], _write_sides(folder, dev))


def sentences(folder: Path) -> Files:
    """Writes all of Tatoeba, English and French, but the pairs of the sources that are unseen."""
    pairs = tatoeba("fra-eng")
    random.Random(SEED).shuffle(pairs)
    unseen = dict(pairs)  # each source once
    unseen = {source: unseen[source] for source in list(unseen)[:TEST_PAIRS]}
    seen = [pair for pair in pairs if pair[0] not in unseen]
    return Files(
        [_write_table(folder / "sentences.tsv", seen)], _write_sides(folder, [*unseen.items()])
    )


def dialogues(folder: Path) -> Files:
    """Writes DailyDialog as JSON lines, but its test file, from which exchanges are drawn."""
    path = folder / "dialogues.jsonl"
    lines = (json.dumps({"turns": turns}) for turns in _dailydialog("train"))
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    exchanges = [
        (turns[max(0, place - 2) : place], turns[place])
        for turns in _dailydialog("test")
        for place in range(1, len(turns))
    ]
    random.Random(SEED).shuffle(exchanges)
    return Files([path], exchanges=exchanges[:TEST_EXCHANGES])


CORPORA: dict[str, Callable[[Path], Files]] = {
    "answers": answers,
    "captions-de": lambda folder: captions("de", folder),
    "captions-fr": lambda folder: captions("fr", folder),
    "films": lambda _: Files([data_folder() / "film-subtitles"]),
    "dialogues": dialogues,
    "sentences": sentences,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="*", metavar="CORPUS", help=", ".join(CORPORA))
    parser.add_argument("--output", type=Path, default=Path("runs/own-data"))
    arguments = parser.parse_args()
    rows: list[list[object]] = []
    for name in arguments.corpora or CORPORA:
        folder = (arguments.output / name).absolute()
        folder.mkdir(parents=True)
        files = CORPORA[name](folder)
        said, seconds, scores = train(files, folder)
        rows.append([name, "train", round(said), round(seconds), *_columns(scores)])
        seconds, scores = train_untuned(files, folder)
        rows.append([name, "defaults", "", round(seconds), *_columns(scores)])
        print(markdown_table(HEADER, rows[-2:]), flush=True)
    print(markdown_table(HEADER, rows))


def train(files: Files, folder: Path) -> tuple[float, float, Scores]:
    """Makes a model as a person would. Returns the seconds that `train` said, those that it took,
    and the scores."""
    began = time.perf_counter()
    printed = run("train", *files.paths, "-o", folder / "model")
    seconds = time.perf_counter() - began
    scores = scores_of(printed, files, folder / "model.run" / "recipe.toml", folder / "model")
    return seconds_said(printed), seconds, scores


def train_untuned(files: Files, folder: Path) -> tuple[float, Scores]:
    """Makes a model of what `train` found, with the default of each key that it chose. Returns the
    seconds that it took, and the scores."""
    tuned = (folder / "model.run" / "recipe.toml").read_text("utf-8")
    recipe = folder / "untuned.toml"
    kept = CHOSEN_KEY.sub("", CHOSEN_SECTION.split(tuned)[0])
    recipe.write_text(f'output = "{folder}/untuned.run"\n{kept}', "utf-8")
    began = time.perf_counter()
    *_, printed = [run(command, recipe) for command in ("prepare", "fit", "export", "evaluate")]
    seconds = time.perf_counter() - began
    return seconds, scores_of(printed, files, recipe, folder / "untuned.run" / "model")


def run(*arguments: object) -> str:
    """Runs a command of `seq2seq`. Returns what it prints."""
    command = [sys.executable, "-m", "seq2seq", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def seconds_said(printed: str) -> float:
    """Returns the estimate in what `train` printed."""
    found = ESTIMATE.search(printed)
    if not found:
        raise ValueError(f"no estimate in: {printed}")
    hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return hours * 3600.0 + minutes * 60.0 + seconds


def scores_of(printed: str, files: Files, recipe: Path, model: Path) -> Scores:
    """Returns the scores that `evaluate` printed, and those of the unseen pairs or exchanges."""
    if files.test:
        printed += run("evaluate", recipe, "--test", *files.test)
    scores = {name: float(score) for name, score in SCORE.findall(printed)}
    if files.exchanges:
        scores["unseen_perplexity_per_word"] = perplexity_per_word(model, files.exchanges)
    return scores


def perplexity_per_word(model: Path, exchanges: Exchanges) -> float:
    """Returns the perplexity per word of replies. It is the same for all tokenizers: words, with
    an end each, are counted in the text as it is."""
    generator = Generator.load(model, "onnx", threads=1)
    tokenizer, search = generator.tokenizer, generator.new_search()
    logprob = 0.0
    for turns, reply in exchanges:
        pair = tuple(tokenizer.source_ids(turns)), tuple(tokenizer.target_ids(reply))
        search.add([ScoringRequest(None, [pair])])
        while not search.is_idle:
            logprob += sum(found.logprob for _, (found,) in search.step())
    words = sum(len(words_of(reply)) + 1 for _, reply in exchanges)
    return math.exp(-logprob / words)


def _columns(scores: Scores) -> Iterator[str]:
    """Returns the scores of a row; of several searches those of the recipe's own, which is last."""

    def last(pattern: str) -> str:
        found = [score for name, score in scores.items() if re.search(pattern, name)]
        return f"{found[-1]:.1f}" if found else ""

    yield last("^test_perplexity_per_word$")
    if perplexity := scores.get("test_perplexity_per_word"):
        tokens_per_word = math.log(perplexity) / scores["test_loss"]
        yield f"{math.exp(scores['test_unigram_entropy'] * tokens_per_word):.1f}"
    else:
        yield ""
    yield last("^unseen_perplexity_per_word$")
    yield last("^unseen_.*BLEU .*case:mixed")
    yield last("^unseen_.*chrF2$")
    yield last("^unseen_.*exact_match$")


def _dailydialog(part: str) -> Iterator[list[str]]:
    """Yields the turns of each dialogue."""
    for line in lines_of(f"dailydialog/dialogues_{part}.txt.gz"):
        yield [turn.strip() for turn in line.split("__eou__")[:-1]]


def _write_table(path: Path, pairs: Pairs) -> Path:
    _write_lines(path, ("\t".join(pair) for pair in pairs))
    return path


def _write_sides(folder: Path, pairs: Pairs) -> list[Path]:
    paths = [folder / "unseen.source", folder / "unseen.target"]
    for path, texts in zip(paths, zip(*pairs, strict=True), strict=True):
        _write_lines(path, texts)
    return paths


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


if __name__ == "__main__":
    main()
