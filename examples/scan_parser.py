"""Parses commands into actions: "jump twice and look left" -> "I_JUMP I_JUMP I_TURN_LEFT I_LOOK".

    python -m examples.scan_parser            (about a quarter of an hour on one core)

Trains `recipes/scan.toml` on the simple split of SCAN and prints the exact match on its test file.
"""

from __future__ import annotations

from pathlib import Path

from model import Generator
from training.evaluation.report import evaluate
from training.fit.loop import fit
from training.prepare.prepare import prepare
from training.recipe_file import read_recipe

RECIPE = Path(__file__).parents[1] / "recipes" / "scan.toml"


def main() -> None:
    recipe = read_recipe(RECIPE)
    prepare(recipe, RECIPE)
    print(fit(recipe))
    print(evaluate(recipe))
    generator = Generator.load(Path(recipe.output) / "model")
    for command in ("jump twice and look left", "walk around right thrice after run"):
        ((actions, *_),) = generator.generate([command])
        print(f"{command} -> {actions.text}")


if __name__ == "__main__":
    main()
