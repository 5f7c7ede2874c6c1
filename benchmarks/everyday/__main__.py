"""Forty everyday sentences of a language, translated: the table of docs/translations.md.

python -m benchmarks.everyday MODEL...
"""

from __future__ import annotations

import argparse
from pathlib import Path

from model.generator import Generator
from model.lines import answer_lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="folders of models that translate")
    for model in parser.parse_args().models:
        generator = Generator.load(model)
        source, target = generator.config.languages
        sentences = (Path(__file__).parent / f"{source}.txt").read_text("utf-8").splitlines()
        print(f"\n| {source} | {target} |\n|---|---|")
        translations = answer_lines(generator, sentences, generator.template(), by_sentence=True)
        for sentence, translation in zip(sentences, translations, strict=True):
            print(f"| {sentence} | {translation} |")


if __name__ == "__main__":
    main()
