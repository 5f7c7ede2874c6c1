"""Over HTTP, with exported graphs: company changes no answer."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from model.generator import Generator
from tests.app.fakes import Serve
from tests.conftest import SENTENCES


def draw_body(draw: random.Random) -> dict[str, Any]:
    size = draw.randint(1, 4)
    ways: list[dict[str, Any]] = [
        {"decoding": "greedy"},
        {"decoding": "beam", "beam_size": size, "n_best": draw.randint(1, size)},
        {"decoding": "sample", "n_best": size, "seed": draw.randrange(100), "top_p": 0.9},
    ]
    options = {
        "repetition_penalty": 1.3,
        "no_repeat_ngram": 2,
        "min_tokens": 4,
        "blocked_words": ["film"],
        "prefix": "i am",
        "length_penalty": 1.0,
        "coverage_penalty": 0.3,
        "with_attention": True,
    }
    some = draw.sample(sorted(options), 3)
    message = " ".join(draw.sample(SENTENCES, draw.randint(1, 3)))
    chosen = {name: options[name] for name in some}
    return {"message": message, "max_tokens": draw.randint(5, 20), **draw.choice(ways), **chosen}


def test_requests_that_come_together_get_what_each_gets_alone(
    serve: Serve, exported_folder: Path
) -> None:
    draw = random.Random(0)
    bodies = [draw_body(draw) for _ in range(80)]
    engine = Generator.load(exported_folder, "onnx-int8").engine
    with serve(engine) as client, ThreadPoolExecutor(16) as pool:

        def ask(body: dict[str, Any]) -> list[tuple[str, list[str]]]:
            answer: httpx.Response = client.post("/reply", json=body)
            assert answer.status_code == 200, answer.text
            return [(each["text"], each["tokens"]) for each in answer.json()["candidates"]]

        together = list(pool.map(ask, bodies))
        assert together == [ask(body) for body in bodies]
        assert len({str(each) for each in together}) > 20
