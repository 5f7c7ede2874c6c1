"""How varied replies are with and without re-ranking by a second model.

    python -m benchmarks.rerank MESSAGES [--model models/default] [--rerank-model models/default]

MESSAGES holds one message a line. A beam of 8 is ranked by its score alone, then with more and more
weight on the second model. `distinct-n`: different n-grams among all of them. The last columns: how
many replies differ, the share of messages that the most frequent reply serves, words a reply, and
milliseconds of process CPU for a message, all messages together and each alone.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from model.generator import Generator
from training.metrics import distinct, most_repeated, words_of

WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)

#: Messages that are answered alone, too.
ALONE = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("messages", type=Path)
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--rerank-model", default="models/default")
    parser.add_argument("--lines", type=int, default=300)
    chosen = parser.parse_args()
    messages = chosen.messages.read_text("utf-8", errors="replace").splitlines()[: chosen.lines]
    messages = [message for message in messages if message.strip()]
    generator = Generator.load(chosen.model, threads=1, rerank_model=chosen.rerank_model)
    kind = generator.reranker.kind if generator.reranker else None
    print(f"{len(messages)} messages, beam 8, second model: {kind}\n")
    print("| weight | distinct-1 | distinct-2 | replies | most frequent | words | ms | ms alone |")
    print("|---|---|---|---|---|---|---|---|")
    for weight in WEIGHTS:
        changes = {"beam_size": 8, "rerank_weight": weight, "temperature": 0.0}
        options = generator.config.search.model_copy(update=changes)
        started = time.process_time()
        texts = [found[0].text for found in generator.generate(messages, options)]
        together = time.process_time()
        for message in messages[:ALONE]:
            generator.generate([message], options)
        alone = (time.process_time() - together) / len(messages[:ALONE])
        lowercase = [text.lower() for text in texts]
        shares = " | ".join(f"{distinct(lowercase, n) / 100:.3f}" for n in (1, 2))
        print(
            f"| {weight} | {shares} | {len(set(texts))} | {most_repeated(texts):.1f}% "
            f"| {sum(len(words_of(text)) for text in texts) / len(texts):.1f} "
            f"| {1000 * (together - started) / len(messages):.1f} | {1000 * alone:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
