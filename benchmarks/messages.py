"""The 23 test messages of the film-lines example that this project began with, answered.

    python -m benchmarks.messages [--model models/default]

Prints the table of docs/messages.md.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from model.generator import Generator
from training.recipe_file import data_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    generator = Generator.load(parser.parse_args().model)
    file = data_folder() / "movie-lines" / "test_set.txt"
    messages = file.read_text("utf-8").splitlines()
    columns = []
    for beam_size in (1, 4):
        options = generator.config.search.model_copy(update={"beam_size": beam_size})
        columns.append([found[0].text for found in generator.generate(messages, options)])
    print("| message | greedy | beam 4 |\n|---|---|---|")
    for row in zip(messages, *columns, strict=True):
        print("| " + " | ".join(row) + " |")
    for name, replies in zip(("greedy", "beam 4"), columns, strict=True):
        text, times = Counter(replies).most_common(1)[0]
        print(f"\nMost frequent reply, {name}: {text!r}, {times} of {len(messages)}.")


if __name__ == "__main__":
    main()
