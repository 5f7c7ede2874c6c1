"""What the Dockerfile says of the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import seq2seq

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_the_image_runs_as_a_user_that_kubernetes_knows_not_to_be_root() -> None:
    users = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]  # a name is refused under runAsNonRoot


def test_the_image_has_the_version_of_the_package() -> None:
    assert f"\nARG VERSION={seq2seq.__version__}\n" in DOCKERFILE


@pytest.mark.parametrize("image", re.findall(r"seq2seq:(\w+)", DOCKERFILE))
def test_each_image_has_a_lock(image: str) -> None:
    assert (ROOT / "requirements" / f"{image}.txt").exists()


def test_what_the_image_copies_is_sent_to_the_engine() -> None:
    copied = re.findall(r"^COPY (?!--)([\w/]+)", DOCKERFILE, re.MULTILINE)
    sent = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert {path.rstrip("/") for path in copied} == set(sent)
