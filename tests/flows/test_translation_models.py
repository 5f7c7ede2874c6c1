"""The models that translate and come with the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.generator import Generator

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module", params=["en-de", "de-en"])
def generator(request: pytest.FixtureRequest) -> Generator:
    return Generator.load(MODELS / request.param)


SENTENCES = {
    "en": [
        ("I am tired.", {"müde"}),
        ("Where is the station?", {"Bahnhof"}),
        ("Thank you very much.", {"Dank", "danke"}),
        ("She has two brothers.", {"zwei", "Brüder"}),
    ],
    "de": [
        ("Ich bin müde.", {"tired"}),
        ("Wo ist der Bahnhof?", {"station"}),
        ("Vielen Dank.", {"thank", "thanks"}),
        ("Sie hat zwei Brüder.", {"two", "brothers"}),
    ],
}


def test_simple_sentences_are_translated(generator: Generator) -> None:
    pairs = SENTENCES[generator.config.languages[0]]
    for (source, expected), (best, *_) in zip(
        pairs, generator.generate([source for source, _ in pairs]), strict=True
    ):
        words = {word.strip(".,!?").lower() for word in best.text.split()}
        assert words & {word.lower() for word in expected}, (source, best.text)
        assert best.finish_reason == "stop"


def test_all_translation_models_together_are_small() -> None:
    files = [file for name in ("en-de", "de-en") for file in (MODELS / name).iterdir()]
    assert sum(file.stat().st_size for file in files) <= 20 * 2**20
