from __future__ import annotations

from typing import Any

import pytest

from model.errors import ConfigError
from model.text.normalise import normalise
from training.cleaning.cleaner import Cleaner, Sides, letters_of
from training.cleaning.rules import DEFAULT_RULES, RULES, default_rules, parse_rules
from training.errors import RecipeError
from training.recipe import Recipe


def cleaner(*rules: Any, languages: tuple[str, ...] = ("en", "de")) -> Cleaner:
    return Cleaner(parse_rules(list(rules)), languages, is_explicit=True)


def refusal(judge: Cleaner, source: str, target: str) -> str | None:
    return judge.refusal(Sides(normalise(source), normalise(target), source, target))


def recipe(rules: Any, **changes: Any) -> Recipe:
    corpus = {"sources": [{"format": "pairs", "path": "a.tsv"}], "rules": rules}
    values = {"name": "a", "task": "translate", "output": "a", "corpus": corpus, **changes}
    return Recipe.parse(values, where="a.toml")


GOOD = (
    ("Where is the dog?", "Wo ist der Hund?"),
    ("Tom is 30 years old.", "Tom ist dreißig Jahre alt."),
    ("OK.", "OK."),
    ("Tom Jackson", "Tom Jackson"),
    ("The train leaves at 2:30 p.m.", "Der Zug fährt um 14.30 Uhr ab."),
    ("It costs 1,000 euros.", "Es kostet 1.000 Euro."),
    ("No, no, no!", "Nein, nein, nein!"),
)


@pytest.mark.parametrize(("source", "target"), GOOD)
def test_good_pairs_pass_all_default_rules(source: str, target: str) -> None:
    judge = Cleaner(default_rules("translate"), ("en", "de"), is_explicit=False)
    assert judge.inactive == {}
    assert refusal(judge, source, target) is None


@pytest.mark.parametrize(
    ("rule", "source", "target"),
    [
        ("unicode", "a caf\ufffd", "ein Café"),
        ("unicode", "a caf\u00e9", "ein Caf\u00c3\u00a9"),
        ("unicode", "don\u2019t", "don\u00e2\u20ac\u2122t"),
        ("unicode", "an icon: \ue012", "ein Bild"),
        ({"rule": "length", "max_words": 3}, "one two three", "eins zwei drei vier"),
        ({"rule": "length", "min_words": 2}, "one", "eins zwei"),
        ({"rule": "length", "max_characters": 9}, "0123456789", "eins"),
        ("ratio", "Yes.", "Ja, das habe ich gestern auch schon so oft zu ihm gesagt, und du?"),
        ({"rule": "ratio", "max_ratio": 1.5, "margin": 0}, "four", "sieben!"),
        ("repeats", "Noooooooooooo!", "Nein!"),
        ("repeats", "no No no no no", "nein"),
        ("repeats", "yes", "ha ha ho ha ha ho ha ha ho ha ha ho ha ha ho"),
        ("numbers", "I have 3 cats.", "Ich habe 4 Katzen."),
        ("numbers", "It was in 1984.", "So war das."),
        ("numbers", f"It is {'9' * 5000}.", "Es ist eine Zahl."),
        ("numbers", "It costs 1,234 euros.", "Es kostet 1.235 Euro."),
        ("copy", "This is not translated!", "this is not translated."),
        ("sentence", "Hi.", "hello there."),
        ("sentence", "Hi.", "Hello there"),
        ("sentence", "Hi.", "..."),
        ({"rule": "sentence", "informal_words": ["i", "lol"]}, "Hi.", "So am i, I think."),
        ("profanity", "What a Shitty day", "Was für ein Tag"),
        ({"rule": "profanity", "words": ["mist", "so ein"]}, "Oh", "So ein Pech"),
        ("script", "Where is the dog?", "Где собака?"),
        ("language", "Where is the dog?", "Where did the dog sleep last night?"),
        ("language", "Où est-ce que le chien a dormi ?", "Wo hat der Hund geschlafen?"),
    ],
)
def test_each_rule_drops_what_it_is_for(rule: Any, source: str, target: str) -> None:
    name = rule if isinstance(rule, str) else rule["rule"]
    assert refusal(cleaner(rule), source, target) == name


@pytest.mark.parametrize(
    ("rule", "source", "target"),
    [
        ("unicode", "Ã is a letter", "naïve Â, Æsir"),
        ({"rule": "length", "max_words": 3}, "one two three", "eins zwei drei"),
        ({"rule": "repeats", "max_characters": 4}, "so....", "nun"),
        ("numbers", "We are 12.", "Wir sind zwölf."),
        ("numbers", "a thousand men", "1000 Mann"),
        ("numbers", "on 12.5.2020", "am 12. 5. 2020"),
        ("numbers", "28 тысяч", "28,000"),
        ("numbers", f"It is {'9' * 5000}.", f"Es ist {'9' * 5000}."),
        ("numbers", f"It is 1{'.000' * 2000}.", f"Es ist 1{',000' * 2000}."),
        ("sentence", "hi", '"Hello!", he said.'),
        ("sentence", "hi", "«Ça va?»"),
        ("sentence", "hi", "2 of them…"),
        ({"rule": "sentence", "informal_words": ["i", "lol"]}, "hi lol", "I think it is."),
        ("profanity", "the cockpit of Scunthorpe", "im Cockpit"),
        ("script", "123 + 456", "..."),
        ("script", "He is called Müller.", "Er heißt Müller, auf Japanisch ミュラー."),
        ("language", "Hotel", "Hotel"),
        ("language", "IN THE MORNING WE WORK", "AM MORGEN ARBEITEN WIR"),
    ],
)
def test_no_rule_drops_more(rule: Any, source: str, target: str) -> None:
    assert refusal(cleaner(rule), source, target) is None


def test_dense_scripts_are_longer_than_they_look() -> None:
    judge = cleaner("ratio", languages=("en", "zh"))
    assert (
        refusal(judge, "The government announced new measures yesterday.", "政府昨天宣布了新措施。")
        is None
    )


@pytest.mark.parametrize("language", ["no", "nb", "nn"])
def test_norwegian_has_several_codes(language: str) -> None:
    judge = cleaner("language", languages=("en", language))
    norwegian, english = "Jeg vet ikke hva jeg skal gjøre i kveld.", "What shall I do tonight?"
    assert refusal(judge, english, norwegian) is None
    assert refusal(judge, english, english) == "language"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("no", "Hva heter du, og hvor kommer du fra?"),
        ("nb", "Jeg har en hund og to katter hjemme."),
        ("da", "Jeg har en hund og to katter hjemme."),
        ("af", "Dit is my boek en my pen."),
    ],
)
def test_a_sentence_may_seem_to_be_in_a_similar_language(language: str, text: str) -> None:
    judge = cleaner("language", languages=("en", language))
    assert refusal(judge, "What is your name?", text) is None
    assert refusal(cleaner("language", languages=(language, language)), text, text) is None


def test_the_sides_of_similar_languages_are_told_apart() -> None:
    danish, norwegian = "Hun arbejder i en stor by.", "Jeg vet ikke hva jeg skal gjøre i kveld."
    judge = cleaner("language", languages=("da", "no"))
    assert refusal(judge, danish, norwegian) is None
    assert refusal(judge, norwegian, danish) == "language"


@pytest.mark.parametrize(
    "language", ["zh", "zh-Hant", "ja", "ko", "ru", "el", "ar", "he", "hi", "th"]
)
def test_a_language_has_its_script(language: str) -> None:
    texts = {
        "zh": "我们明天去",
        "zh-Hant": "我們明天去",
        "ja": "明日行きます",
        "ko": "내일 갑니다",
        "ru": "Мы идём",
        "el": "Πάμε αύριο",
        "ar": "سنذهب غدا",
        "he": "נלך מחר",
        "hi": "हम कल जाएंगे",
        "th": "พรุ่งนี้เราจะไป",
    }
    judge = cleaner("script", languages=("en", language))
    assert refusal(judge, "We will go tomorrow.", texts[language]) is None
    assert refusal(judge, "We will go tomorrow.", "We will go.") == "script"
    assert refusal(judge, texts[language], texts[language]) == "script"


def test_chinese_without_kana_is_not_japanese() -> None:
    judge = cleaner("language", languages=("zh", "ja"))
    assert refusal(judge, "操场被砸，孩童获赔后再诉校方", "明日はいい天気になるでしょう") is None


def test_rules_stand_in_the_order_of_their_cost() -> None:
    judge = cleaner("language", "ratio", "length", languages=("en", "de"))
    assert refusal(judge, "Où est le chien ?", " ".join(["mot"] * 201)) == "length"


def test_a_default_rule_that_cannot_be_applied_is_left_out_and_named() -> None:
    for languages, reason in (((), "languages"), (("commands", "actions"), "commands")):
        judge = Cleaner(default_rules("translate"), languages, is_explicit=False)
        assert judge.inactive.keys() == {"script", "language"}
        assert reason in judge.inactive["language"]


def test_a_rule_that_was_asked_for_must_be_applicable() -> None:
    with pytest.raises(RecipeError, match=r"'language' cannot be applied: .*'xx'"):
        cleaner("language", languages=("en", "xx"))


def test_near_duplicates_have_the_same_letters() -> None:
    assert letters_of("I'm 30, Tom!") == letters_of("im, TOM") == "imtom"
    assert letters_of("Straße") == letters_of("STRASSE")
    assert letters_of("दिन।") == letters_of("दिन") != letters_of("दान")  # day, gift


@pytest.mark.parametrize("task", ["reply", "translate"])
def test_what_is_off_by_default_is_never_filtered_unasked(task: Any) -> None:
    assert "profanity" not in DEFAULT_RULES[task]
    assert "sentence" not in DEFAULT_RULES[task]
    assert set(DEFAULT_RULES[task]) < set(RULES)


def test_a_recipe_names_rules_and_survives_a_round_trip() -> None:
    found = recipe(["near_duplicate", {"rule": "ratio", "max_ratio": 2}, "length"])
    assert [rule.rule for rule in found.rules] == ["length", "ratio", "near_duplicate"]
    assert found.rules[1].model_dump() == {"rule": "ratio", "max_ratio": 2.0, "margin": 15}
    assert Recipe.parse(found.model_dump(mode="json"), where="a") == found
    assert recipe(None).rules == default_rules("translate")
    assert recipe([]).rules == ()


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (["lenght"], "unknown rule 'lenght'; did you mean 'length'?"),
        (["foo!"], "known are unicode, length"),
        (
            [{"rule": "ratio", "max_ration": 2}],
            "max_ration: unknown key; did you mean 'max_ratio'?",
        ),
        ([{"rule": "ratio", "max_ratio": 0}], "max_ratio: "),
        ([{"max_ratio": 0}], "expected"),
        (["ratio", {"rule": "ratio"}], "'ratio' occurs twice"),
        ("ratio", "corpus.rules: "),
    ],
)
def test_a_wrong_rule_is_named(rules: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        recipe(rules)
    assert said in str(caught.value)
    assert "a.toml: corpus.rules" in str(caught.value)
