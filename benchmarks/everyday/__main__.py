"""Forty everyday sentences of a language, translated: the table of docs/translations.md.

python -m benchmarks.everyday MODEL...
"""

from __future__ import annotations

import argparse
from pathlib import Path

from model.generator import Generator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="folders of models that translate")
    for model in parser.parse_args().models:
        generator = Generator.load(model)
        source, target = generator.config.languages
        sentences = (Path(__file__).parent / f"{source}.txt").read_text("utf-8").splitlines()
        print(f"\n| {source} | {target} |\n|---|---|")
        for sentence, (best, *_) in zip(sentences, generator.generate(sentences), strict=True):
            print(f"| {sentence} | {best.text} |")


if __name__ == "__main__":
    main()
