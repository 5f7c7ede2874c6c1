"""What int8 and a shortlist cost: scores of a model's exported graphs on a part of a corpus.

    python -m training prepare RECIPE && python -m training fit RECIPE
    python -m training export RECIPE
    python -m benchmarks.precision RECIPE [--model FOLDER] [--part dev] [--beam-size 1 4]

`same` is how many answers are those of the float32 graphs, letter by letter.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from model.config import SearchOptions
from model.engine import EngineName
from model.folder import SHORTLIST_FILES
from model.generator import Generator
from model.tokenizer import normalise_target
from training.metrics import corpus_bleu, corpus_chrf, exact_match
from training.prepare.prepare import open_prepared
from training.recipe_file import read_complete_recipe

#: Name -> engine, and whether a source is held to its shortlist.
SETTINGS: dict[str, tuple[EngineName, bool]] = {
    "float32": ("onnx", False),
    "int8": ("onnx-int8", False),
    "int8, shortlist": ("onnx-int8", True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--model", type=Path, help="a folder other than the recipe's")
    parser.add_argument("--part", choices=("dev", "test"), default="dev")
    parser.add_argument("--beam-size", type=int, nargs="+", default=[1, 4])
    chosen = parser.parse_args()
    recipe = read_complete_recipe(chosen.recipe)
    folder = chosen.model or Path(recipe.output) / "model"
    shard = open_prepared(recipe).part(chosen.part)
    sources = [shard.source_turns(i) for i in range(len(shard))]

    engines = {name: Generator.load(folder, name) for name in ("onnx", "onnx-int8")}
    config = engines["onnx"].config
    references = [normalise_target(shard.target_text(i), config.text) for i in range(len(shard))]
    settings = dict(SETTINGS)
    if not set(SHORTLIST_FILES) <= set(config.sha256):
        del settings["int8, shortlist"]
    language = recipe.target_language
    signature = corpus_bleu(["a"], ["a"], language=language)[1]
    examples = f"{len(shard):,} {chosen.part} examples"
    print(f"{config.name}: {examples}, ONNX Runtime {version('onnxruntime')}")
    print(f"BLEU {signature}\n")
    print("| search | graphs | BLEU | chrF2 | exact match % | same % |\n|---|---|---|---|---|---|")
    for beam_size in chosen.beam_size:
        search = "greedy" if beam_size == 1 else f"beam {beam_size}"
        exact: list[str] = []
        for name, (engine, shortlist) in settings.items():
            wishes = {"beam_size": beam_size, "n_best": 1, "shortlist": shortlist}
            options = SearchOptions(**{**config.search.model_dump(), **wishes})
            found = engines[engine].generate(sources, options)
            texts = [candidates[0].text for candidates in found]
            exact = exact or texts
            scores = _scores(texts, references, exact, language)
            print(f"| {search} | {name} | {scores} |", flush=True)


def _scores(
    texts: Sequence[str], references: Sequence[str], exact: Sequence[str], language: str
) -> str:
    bleu, _ = corpus_bleu(texts, references, language=language)
    chrf = corpus_chrf(texts, references)
    return (
        f"{bleu:.2f} | {chrf:.2f} | {exact_match(texts, references):.2f} | "
        f"{exact_match(texts, exact):.2f}"
    )


if __name__ == "__main__":
    main()
