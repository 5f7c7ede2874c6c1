"""Does a model of questions and answers know what it does not know?

    python -m benchmarks.faq recipes/faq.tsv [--output runs/faq-benchmark]

A fifth of the answers is left out with all their questions, and of each other answer one wording.
The model learns the rest by heart, as recipes/faq.toml has it; a run that was stopped goes on.

Then it is asked what it has learnt, variants of that, the wordings and the questions that were left
out, small talk, and gibberish. A reply is accepted if its confidence reaches the threshold that
`fit` has chosen; beside that, if its log-probability per token reaches the threshold that refuses
the same share of the questions that were left out.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.chat.inputs import HALVES, read_messages
from model.config import SearchOptions
from model.generator import Generator
from model.known_questions import KnownQuestions
from training.fit.loop import fit
from training.prepare.prepare import prepare
from training.recipe_file import read_recipe
from training.variants import vary

RECIPE = Path("recipes/faq.toml")
#: Every n-th answer is left out.
LEFT_OUT = 5
#: Messages of small talk, and of gibberish.
OTHERS = 200
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

Pairs = list[tuple[str, str]]


def split(pairs: Pairs, draw: random.Random) -> tuple[Pairs, Pairs, Pairs]:
    """Returns what is learnt, wordings that are left out, and questions that are."""
    wordings = defaultdict(list)
    for question, answer in pairs:
        wordings[answer].append(question)
    answers = sorted(wordings)
    draw.shuffle(answers)
    known, reworded, unknown = [], [], []
    for place, answer in enumerate(answers):
        questions = [(question, answer) for question in wordings[answer]]
        draw.shuffle(questions)
        if place % LEFT_OUT == 0:
            unknown += questions
        else:
            count = min(1, len(questions) - 1)
            reworded += questions[:count]
            known += questions[count:]
    return known, reworded, unknown


def gibberish(draw: random.Random) -> str:
    """Returns what nobody means: keys of a row, words of random letters, or digits and marks."""
    kind, row = draw.randrange(4), draw.choice(KEYS)
    if kind == 0:
        return "".join(draw.choices(row, k=draw.randrange(3, 12)))
    if kind == 1:
        start = draw.randrange(len(row) - 3)
        return row[start : start + 4] * draw.randrange(1, 3)
    if kind == 2:
        lengths = [draw.randrange(1, 9) for _ in range(draw.randrange(2, 6))]
        return " ".join("".join(draw.choices("".join(KEYS), k=length)) for length in lengths)
    return "".join(draw.choices("0123456789!?.-#", k=draw.randrange(2, 9)))


def train(known: Pairs, output: Path) -> Path:
    """Learns `known` by heart; returns the model folder."""
    output.mkdir(parents=True, exist_ok=True)
    table = output / "known.tsv"
    table.write_text("".join(f"{q}\t{answer}\n" for q, answer in known), "utf-8")
    recipe = read_recipe(RECIPE)
    (source,) = recipe.corpus.sources
    source = source.model_copy(update={"path": str(table.absolute())})
    corpus = recipe.corpus.model_copy(update={"sources": (source,)})
    recipe = recipe.model_copy(update={"corpus": corpus, "output": str(output)})
    prepare(recipe, RECIPE, workers=1)
    print(fit(recipe), end="\n\n")
    return output / "model"


def sets_of(pairs: Pairs, draw: random.Random) -> dict[str, Pairs]:
    """Returns messages of each kind, with the right reply, or none."""
    known, reworded, unknown = split(pairs, draw)
    (source,) = read_recipe(RECIPE).corpus.sources
    varied = [(vary(q, source.variants, "en", draw), answer) for q, answer in known]
    talk = [dialogue.messages[0] for half in HALVES for dialogue in read_messages(half)]
    return {
        "known": known,
        "variants of known ones": varied,
        "other wordings": reworded,
        "other questions": [(question, "") for question, _ in unknown],
        "small talk": [(message, "") for message in draw.sample(talk, OTHERS)],
        "gibberish": [(gibberish(draw), "") for _ in range(OTHERS)],
    }


def measure(generator: Generator, pairs: Pairs) -> np.ndarray:
    """Returns for each message whether the model's reply is right, its confidence, and its
    log-probability per token."""
    options = generator.config.search.greedy()
    options = options.model_copy(update={"fallback_reply": "", "length_penalty": 0.0})
    found = generator.generate([message for message, _ in pairs], options)
    rows = []
    for (_, answer), (best, *_) in zip(pairs, found, strict=True):
        expected = generator.tokenizer.target_text(generator.tokenizer.target_ids(answer))
        rows.append((best.text == expected, best.confidence, best.score / (len(best.tokens) + 1)))
    return np.array(rows)


def check_ms(questions: KnownQuestions, messages: Sequence[str], reply: str) -> float:
    """Returns the milliseconds that a confidence takes."""
    started = time.process_time()
    for message in messages:
        questions.confidence(message, reply)
    return 1000 * (time.process_time() - started) / len(messages)


def print_table(found: dict[str, np.ndarray], search: SearchOptions) -> None:
    """Prints shares in percent, by confidence and by log-probability."""
    threshold = search.min_confidence
    others = found["other questions"]
    refused = np.mean(others[:, 1] < threshold)
    least = np.quantile(others[:, 2], refused)
    print(f"confidence >= {threshold}; log-probability per token >= {least:.4f}\n")
    print(
        "| messages | | right | accepted | of these wrong | by log-probability | of these wrong |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, rows in found.items():
        right = rows[:, 0] > 0
        cells = [f"{100 * right.mean():.1f}"]
        for accepted in (rows[:, 1] >= threshold, rows[:, 2] >= least):
            wrong = 100 * np.mean(~right[accepted]) if accepted.any() else 0.0
            cells += [f"{100 * accepted.mean():.1f}", f"{wrong:.1f}"]
        print(f"| {name} | {len(rows)} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("questions", type=Path, help="question TAB answer")
    parser.add_argument("--output", type=Path, default=Path("runs/faq-benchmark"))
    chosen = parser.parse_args()
    lines = chosen.questions.read_text("utf-8").splitlines()
    sets = sets_of([(q, a) for q, _, a in (x.partition("\t") for x in lines)], random.Random(1))
    generator = Generator.load(train(sets["known"], chosen.output))
    print_table(
        {name: measure(generator, each) for name, each in sets.items()}, generator.config.search
    )
    messages = [message for message, _ in sets["other wordings"]]
    questions = KnownQuestions(sets["known"])
    print(f"\n{check_ms(questions, messages, sets['known'][0][1]):.3f} ms for a confidence")


if __name__ == "__main__":
    main()
