"""What is installed is what the tree has."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

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


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_serves_a_model_with_a_space_in_its_path() -> None:
    command = ["make", "--dry-run", "run", "MODEL=runs/my films/model", "BIN=bin"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("SEQ2SEQ_MODEL="))
    assert shlex.split(line)[0] == "SEQ2SEQ_MODEL=runs/my films/model"
