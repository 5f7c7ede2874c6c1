"""What is installed is what the tree has."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = ("app", "model", "seq2seq", "training")


def test_every_package_is_installed_and_nothing_else() -> None:
    in_tree = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for room in ROOMS
        for file in (ROOT / room).rglob("__init__.py")
    }
    mapped = PROJECT["tool"]["setuptools"]["package-dir"]
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == in_tree | set(mapped)
    assert all((ROOT / folder).is_dir() for folder in mapped.values())


def test_what_is_installed_tells_its_types() -> None:
    assert all((ROOT / room / "py.typed").exists() for room in ROOMS)


def test_to_serve_needs_no_training_framework() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    needed = " ".join([*PROJECT["project"]["dependencies"], *extras["serve"]])
    assert not any(name in needed for name in ("keras", "tensorflow", "h5py", "torch"))
