"""Are answers the same as before a change? Tokens and scores of 2,000 real messages, in a file.

    SEQ2SEQ_DATA=... python -m benchmarks.snapshot record runs/before.json [--engines onnx-int8]
    SEQ2SEQ_DATA=... python -m benchmarks.snapshot compare runs/before.json

`compare` answers the messages of the file again, with the engines and decodings that it holds, and
ends with exit code 1 where tokens differ, or scores by more than 1e-6.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.server import messages
from model.config import SearchOptions
from model.engine import EngineName
from model.generator import Generator

#: Greatest difference of two scores that are the same.
TOLERANCE = 1e-6

#: Options that differ from the model's own.
DECODINGS: dict[str, dict[str, Any]] = {
    "model's own": {},
    "greedy": {"beam_size": 1, "n_best": 1, "no_repeat_ngram": 0},
    "beam 4": {"beam_size": 4, "n_best": 4, "no_repeat_ngram": 0},
    "beam 8, penalties": {
        "beam_size": 8,
        "n_best": 2,
        "length_penalty": 1.0,
        "coverage_penalty": 0.2,
        "repetition_penalty": 1.2,
        "no_repeat_ngram": 3,
        "diversity": 0.5,
    },
    "sampling": {"beam_size": 1, "n_best": 1, "temperature": 1.0, "top_k": 50, "seed": 1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--engines", nargs="+", default=["onnx-int8", "keras"])
    chosen = parser.parse_args()
    if chosen.command == "record":
        sources = messages(chosen.messages)
        answers = {engine: answers_of(chosen.model, engine, sources) for engine in chosen.engines}
        chosen.file.parent.mkdir(parents=True, exist_ok=True)
        chosen.file.write_text(json.dumps({"messages": sources, "answers": answers}))
        return
    before = json.loads(chosen.file.read_text())
    print("| engine | decoding | messages | other tokens | greatest difference of scores |")
    print("|---|---|---|---|---|")
    is_same = True
    for engine, decodings in before["answers"].items():
        for name, found in answers_of(chosen.model, engine, before["messages"]).items():
            others, difference = compare(decodings[name], found)
            is_same = is_same and not others and difference <= TOLERANCE
            print(f"| {engine} | {name} | {len(found):,} | {others} | {difference:.1e} |")
    raise SystemExit(0 if is_same else 1)


def answers_of(model: str, engine: EngineName, sources: list[str]) -> dict[str, list[Any]]:
    """Returns decoding -> for each source, tokens and score of every candidate."""
    generator = Generator.load(model, engine)
    answers = {}
    for name, changes in DECODINGS.items():
        options = SearchOptions.model_validate({**generator.config.search.model_dump(), **changes})
        started = time.process_time()
        found = generator.generate(sources, options)
        answers[name] = [[[list(each.tokens), each.score] for each in some] for some in found]
        print(f"{engine}, {name}: {time.process_time() - started:.1f} s of CPU", flush=True)
    return answers


def compare(before: list[Any], after: list[Any]) -> tuple[int, float]:
    """Counts answers with other tokens; and the greatest difference of scores among the others."""
    others, difference = 0, 0.0
    for old, new in zip(before, after, strict=True):
        if [tokens for tokens, _ in old] != [tokens for tokens, _ in new]:
            others += 1
            continue
        pairs = zip(old, new, strict=True)
        difference = max([difference, *(abs(a - b) for (_, a), (_, b) in pairs)])
    return others, difference


if __name__ == "__main__":
    main()
