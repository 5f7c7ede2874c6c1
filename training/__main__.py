"""`python -m training prepare|fit|evaluate|export RECIPE`: parses, calls, prints."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model.errors import Seq2SeqError
from training.corpus.prepare import prepare
from training.recipe import Recipe, read_recipe


def main(arguments: list[str] | None = None) -> int:
    """Runs one step. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    steps = {
        "prepare": ("read, split and tokenise the corpus", _prepare),
        "fit": ("train, or go on training, and write the model folder", _fit),
        "evaluate": ("score the model on the test part and complete its card", _evaluate),
        "export": ("add graphs for ONNX Runtime, much faster on a CPU, to the model", _export),
    }
    commands = parser.add_subparsers(dest="step", required=True)
    for name, (description, _) in steps.items():
        command = commands.add_parser(name, help=description, description=description)
        command.add_argument("recipe", type=Path, help="a recipe, for example recipes/scan.toml")
        if name == "export":
            command.add_argument(
                "--precision",
                choices=("float32", "int8"),
                action="append",
                help="of the graphs; once for each; both by default",
            )
    chosen = parser.parse_args(arguments)
    try:
        print(steps[chosen.step][1](read_recipe(chosen.recipe), chosen))
    except Seq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _prepare(recipe: Recipe, chosen: argparse.Namespace) -> str:
    corpus = prepare(recipe, chosen.recipe)
    parts = f"{len(corpus.train):,} train, {len(corpus.dev):,} dev, {len(corpus.test):,} test"
    faults = corpus.report["faults"]
    dropped = sum(corpus.report["dropped"].values())
    return f"{corpus.path}: {parts}; {dropped:,} left out, {faults:,} unreadable (report.json)"


def _fit(recipe: Recipe, chosen: argparse.Namespace) -> str:
    from training.fit import fit  # loads the framework

    return fit(recipe)


def _evaluate(recipe: Recipe, chosen: argparse.Namespace) -> str:
    from training.evaluation.report import evaluate  # loads the framework

    return evaluate(recipe)


def _export(recipe: Recipe, chosen: argparse.Namespace) -> str:
    from training.export import export  # loads the framework

    return export(recipe, chosen.precision or ["float32", "int8"])


if __name__ == "__main__":
    sys.exit(main())
