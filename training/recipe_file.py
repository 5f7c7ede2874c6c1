"""Reading of recipe files, with the model that a recipe starts from and its word vectors."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from model.config import NetworkShape
from model.errors import ConfigError
from model.folder import ModelFolder, find_folder, load_folder
from training.errors import RecipeError
from training.files.paths import find_files
from training.recipe import Recipe, TokenizerConfig


def read_recipe(path: Path) -> Recipe:
    """Reads and checks a recipe.

    Raises:
        RecipeError: if the file is missing, not TOML, or any key is wrong.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(f"{path}: not a TOML file: {error}") from None
    try:
        return Recipe.parse(values, where=str(path))
    except ConfigError as error:
        raise RecipeError(str(error)) from None


def read_complete_recipe(path: Path) -> Recipe:
    """Reads a recipe, with the tokenizer and the network of the model that it starts from, if any,
    whose folder is looked up in `folders_of` the recipe.

    Raises:
        RecipeError: as in `read_recipe`; or if it describes another tokenizer, network or task, or
            the model that it starts from is missing or its own, or reads no history where one is
            drawn.
        FolderError: if that model is broken.
    """
    recipe = read_recipe(path)
    if recipe.start_from:
        folder = _find_folder(recipe.start_from, path)
        recipe = recipe.model_copy(update={"start_from": str(folder)})
    start = start_of(recipe)
    recipe = _complete(recipe, start, path) if start else recipe
    has_history = any("history" in source.variants for source in recipe.corpus.sources)
    if has_history and recipe.tokenizer.context_turns < 2:
        place = start.path if start else "[tokenizer]"
        raise RecipeError(f"{path}: variant 'history' needs context_turns = 2 or more in {place}")
    return recipe


def read_recipe_to_train(path: Path) -> Recipe:
    """Reads a recipe as `read_complete_recipe` does, and finds its word vectors, which nothing but
    training needs.

    Raises:
        RecipeError, FolderError: as there.
        CorpusError: if there is no such file.
    """
    recipe = read_complete_recipe(path)
    if not recipe.fit.word_vectors:
        return recipe
    _, (file, *_) = find_files(recipe.fit.word_vectors, folders_of(path))
    fit = recipe.fit.model_copy(update={"word_vectors": str(file)})
    return recipe.model_copy(update={"fit": fit})


def start_of(recipe: Recipe) -> ModelFolder | None:
    """Loads the model that `recipe` starts from, if any.

    Raises:
        FolderError: if it is absent or broken.
    """
    return load_folder(recipe.start_from) if recipe.start_from else None


def _complete(recipe: Recipe, start: ModelFolder, path: Path) -> Recipe:
    for section in ("tokenizer", "network"):
        if section in recipe.model_fields_set:
            raise RecipeError(
                f"{path}: [{section}] comes from {start.path}. Leave out the section or start_from."
            )
    if start.path.resolve() == (Path(recipe.output) / "model").resolve():
        raise RecipeError(
            f"{path}: start_from = '{start.path}' is the model that this recipe writes. Set "
            "another `output`."
        )
    config = start.config
    if config.task != recipe.task:
        raise RecipeError(
            f"{path}: start_from = '{start.path}' is a model of task '{config.task}', "
            f"but task = '{recipe.task}'"
        )
    shape = config.network.model_dump(include=set(NetworkShape.model_fields))
    size = max(16, config.network.source_vocab_size, config.network.target_vocab_size)
    sections = {
        "tokenizer": TokenizerConfig(**config.text.model_dump(), vocab_size=size),
        "network": NetworkShape(**shape),
    }
    return recipe.model_copy(update=sections)


def _find_folder(name: str, recipe_path: Path) -> Path:
    folders = folders_of(recipe_path)
    places = (*(folder / name for folder in folders), find_folder(name))
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        searched = " nor in ".join(dict.fromkeys(str(folder.resolve()) for folder in folders))
        raise RecipeError(f"{recipe_path}: start_from: no folder {name}, neither in {searched}.")
    return found


def folders_of(recipe_path: Path) -> list[Path]:
    """Returns where relative paths that a recipe reads are looked up: its folder, the working
    directory, the data folder. What it writes (`output`) is relative to the working directory."""
    return [recipe_path.parent, Path(), data_folder()]


def data_folder() -> Path:
    """Returns the folder of corpora: `SEQ2SEQ_DATA`, else `../shared/data`."""
    return Path(os.environ.get("SEQ2SEQ_DATA", "../shared/data"))
