"""Forty everyday sentences of a language, the first ten of them as people type them, and fifty
words, translated: the tables of docs/translations.md. Then BLEU and chrF2 of the pairs in
`unseen.tsv`, `unseen_talk.tsv` and `unseen_people.tsv`, every fortieth of those that were written
for the phrasebook's `sentences.tsv`, `talk.tsv` and `people.tsv`, and how many of the hundred names
in `names.txt`, which no model has read, are kept in translations.

python -m benchmarks.everyday MODEL...
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from model.generator import Generator
from model.lines import translate_lines
from training.markdown import markdown_table
from training.metrics import corpus_bleu, corpus_chrf

#: Number of sentences that are typed without capitals and final marks.
TYPED = 10
#: Sentences with a name, by language.
WITH_NAMES = {
    "en": ("Hi {},", "{} called me yesterday.", "Have you seen {} today?", "I met {}'s sister."),
    "de": ("Hallo {},", "{} rief mich gestern an.", "Hast du {} gesehen?", "Ich kenne {} gut."),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="folders of models that translate")
    for model in parser.parse_args().models:
        generator = Generator.load(model)
        source, target = languages = generator.config.languages
        sentences, words = read(f"{source}.txt"), read(f"words.{source}.txt")
        typed = [sentence.lower().rstrip(".!?") for sentence in sentences[:TYPED]]
        for texts in (sentences, typed):
            print(f"\n{markdown_table(languages, translated(generator, texts))}")
        print(f"\n{source} to {target}: {listed(translated(generator, words))}.")
        for name in ("unseen.tsv", "unseen_talk.tsv", "unseen_people.tsv"):
            pairs = [dict(zip(("en", "de"), line.split("\t"), strict=True)) for line in read(name)]
            print(f"\n{name}, {source} to {target}: {scored(generator, pairs)}")
        print(f"\nnames that are kept, {source} to {target}: {names_kept(generator)}")


def read(name: str) -> list[str]:
    return (Path(__file__).parent / name).read_text("utf-8").splitlines()


def translated(generator: Generator, texts: Sequence[str]) -> list[tuple[str, str]]:
    """Returns each text with its translation by the model's own search."""
    answers = translate_lines(generator, texts, generator.template())
    return [*zip(texts, answers, strict=True)]


def scored(generator: Generator, pairs: Sequence[dict[str, str]]) -> str:
    """Translates the pairs, which have a text by each language, and returns the scores."""
    source, target = generator.config.languages
    answers = [answer for _, answer in translated(generator, [pair[source] for pair in pairs])]
    references = [pair[target] for pair in pairs]
    bleu, signature = corpus_bleu(answers, references, language=target)
    found = f"BLEU {bleu:.1f} ({signature}), chrF2 {corpus_chrf(answers, references):.1f}"
    return f"{found}, {len(pairs)} pairs"


def names_kept(generator: Generator) -> str:
    """Translates sentences with each of the names, and returns how many keep it."""
    names, forms = read("names.txt"), WITH_NAMES[generator.config.languages[0]]
    texts = [form.format(name) for form in forms for name in names]
    answers = translated(generator, texts)
    kept = sum(name in text for name, (_, text) in zip(names * len(forms), answers, strict=True))
    return f"{kept} of {len(texts)}"


def listed(pairs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{word} → {translation}" for word, translation in pairs)


if __name__ == "__main__":
    main()
