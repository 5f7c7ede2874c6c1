from __future__ import annotations

from training.evaluation.significance import compare

REFERENCES = [f"the {thing} number {i} is in the house" for i in range(25) for thing in "abcd"]


def test_equal_systems_differ_by_chance() -> None:
    for found in compare(REFERENCES, REFERENCES, REFERENCES):
        assert found.baseline == found.score
        assert found.p_value > 0.5


def test_a_worse_system_is_worse_by_more_than_chance() -> None:
    broken = [text.replace("house", "car") for text in REFERENCES]
    bleu, chrf = compare(broken, REFERENCES, REFERENCES)
    assert (bleu.metric, chrf.metric) == ("BLEU", "chrF2")
    assert bleu.score > 99.9 > bleu.baseline
    assert bleu.p_value < 0.01


def test_the_same_texts_give_the_same_p_value() -> None:
    some = [text if i % 3 else "no" for i, text in enumerate(REFERENCES)]
    assert compare(some, REFERENCES, REFERENCES) == compare(some, REFERENCES, REFERENCES)
