from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from training.errors import CorpusError
from training.files.records import Fault
from training.formats import FORMATS
from training.new.proposal import propose
from training.new.survey import survey
from training.new.write import describe, name_of, recipe_text
from training.recipe_file import read_recipe

ENGLISH = ("Where have you been all day?", "I want a cup of tea.", "The dog is in the garden.")
GERMAN = ("Wo bist du den ganzen Tag gewesen?", "Ich möchte eine Tasse Tee.", "Der Hund ist da.")

RUSSIAN = ("Где ты был весь день?", "Я хочу чашку чая.", "Собака в саду.")
FRENCH = ("Où étais-tu toute la journée ?", "Je voudrais du thé.", "Le chien est dans le jardin.")


def write_rows(path: Path, *columns: Sequence[str], times: int = 10) -> str:
    rows = ["\t".join(row) for row in zip(*columns, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows * times) + "\n")
    return str(path)


def test_two_languages_are_to_be_translated(tmp_path: Path) -> None:
    found = survey([write_rows(tmp_path / "a.tsv", ENGLISH, GERMAN)], languages=())
    assert (found.task, found.languages, found.examples) == ("translate", ("en", "de"), 30)
    [source] = found.sources
    assert (source.config.format, source.config.swap) == ("pairs", False)
    assert describe(source) == "1 file, 2 kB, en-de, 30 examples"
    assert describe(replace(source, examples=1)) == "1 file, 2 kB, en-de, 1 example"


def test_the_languages_that_are_asked_for_turn_a_source_around(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.tsv", ENGLISH, GERMAN)
    found = survey([path], languages=("de", "en"))
    assert found.languages == ("de", "en")
    assert found.sources[0].config.swap


def write_tmx(path: Path, targets: Sequence[str] = GERMAN, language: str = "de") -> None:
    texts = (
        f'<tuv lang="en-GB"><seg>{one}</seg></tuv><tuv lang="{language}"><seg>{other}</seg></tuv>'
        for one, other in zip(cycle(ENGLISH), targets, strict=False)
    )
    units = (f"<tu>{each}</tu>" for each in texts)
    path.write_text(f"<tmx><body>{''.join(units)}</body></tmx>")


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.de-en.de", "\n".join(GERMAN))
        archive.writestr("X.de-en.en", "\n".join(ENGLISH))


def write_csv(path: Path) -> None:
    rows = zip(ENGLISH, GERMAN, strict=True)
    path.write_text("English,German\n" + "".join(f"{one},{other}\n" for one, other in rows))


@pytest.mark.parametrize("languages", [("en", "de"), ("de", "en"), ("DE", "en-US")])
@pytest.mark.parametrize(
    ("name", "write"),
    [("a.tmx", write_tmx), ("de-en.txt.zip", write_zip), ("a.csv", write_csv)],
)
def test_the_languages_that_are_asked_for_are_source_and_target(
    tmp_path: Path, name: str, write: Callable[[Path], None], languages: tuple[str, str]
) -> None:
    write(tmp_path / name)
    found = survey([str(tmp_path / name)], languages=languages)
    [source] = found.sources
    pair = (source.sample[0].source[-1], source.sample[0].target)
    is_english_first = languages[0] == "en"
    assert pair[:: -1 if source.config.swap else 1] == (
        (ENGLISH[0], GERMAN[0]) if is_english_first else (GERMAN[0], ENGLISH[0])
    )


@pytest.mark.parametrize(
    ("languages", "kept", "reason"),
    [
        ((), "en-de", "is en-fr, not en-de"),
        (("de", "en"), "de-en", "has no segment in de"),
        (("en", "fr"), "en-fr", "has no segment in fr"),
    ],
)
def test_translation_memories_of_other_languages_are_left_out(
    tmp_path: Path, languages: tuple[str, ...], kept: str, reason: str
) -> None:
    write_tmx(tmp_path / "fr.tmx", 4 * FRENCH, language="fr")
    for name in ("a.tmx", "more-de.tmx"):
        write_tmx(tmp_path / name, 3 * GERMAN)
    found = survey([str(tmp_path)], languages=languages)
    assert "-".join(found.languages) == kept
    assert {"-".join(source.config.languages) for source in found.sources} == {kept}
    assert found.examples == (12 if "fr" in kept else 18)
    assert {fault.reason for fault in found.left_out} == {reason}


def test_a_translation_memory_of_one_language_does_not_stop_the_others(tmp_path: Path) -> None:
    write_tmx(tmp_path / "a.tmx")
    (tmp_path / "b.tmx").write_text('<tmx><tu><tuv lang="en"><seg>Yes.</seg></tuv></tu></tmx>')
    [fault] = survey([str(tmp_path)], languages=()).left_out
    assert fault.origin == str(tmp_path / "b.tmx")
    with pytest.raises(CorpusError, match=r"b\.tmx: does not name two languages"):
        survey([fault.origin], languages=())


def test_archives_of_other_languages_are_refused(tmp_path: Path) -> None:
    write_zip(tmp_path / "de-en.txt.zip")
    with pytest.raises(CorpusError, match=r"txt\.zip: is de-en, not en-fr\. Correct --languages"):
        survey([str(tmp_path / "de-en.txt.zip")], languages=("en", "fr"))


def test_a_translation_into_one_language_is_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.tsv", ENGLISH, GERMAN)
    with pytest.raises(CorpusError, match=r"--languages: .* two codes.* Received: de"):
        survey([path], languages=("de",))


def test_two_languages_ask_for_a_translation(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.tsv", ENGLISH, ENGLISH[::-1])
    assert survey([path], languages=("en", "de")).task == "translate"
    with pytest.raises(CorpusError, match=r"replies need one\. Received: en de"):
        survey([path], task="reply", languages=("en", "de"))
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,500\n- Who?\n- Me.\n")
    with pytest.raises(CorpusError, match=r"films in two languages, write a recipe"):
        survey([str(tmp_path / "a.srt")], languages=("en", "de"))


def test_one_language_is_a_dialogue(tmp_path: Path) -> None:
    found = survey([write_rows(tmp_path / "a.tsv", ENGLISH, ENGLISH[::-1])], languages=())
    assert (found.task, found.languages) == ("reply", ("en",))
    assert found.sources[0].config.format == "exchanges"


def test_amounts_are_in_no_language(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.tsv", ENGLISH, ("3 €", "2,5 l", "12:30"))
    assert survey([path], languages=()).sources[0].languages == ("en", "")


@pytest.mark.parametrize("within", [True, False])
def test_fields_named_by_languages_are_pairs_of_these(tmp_path: Path, within: bool) -> None:
    pairs = [{"en": one, "de": other} for one, other in zip(ENGLISH, GERMAN, strict=True)]
    records = [{"translation": pair} if within else pair for pair in pairs]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    for languages in ((), ("de", "en"), ("en", "de")):
        found = survey([str(tmp_path / "a.jsonl")], languages=languages)
        assert (found.task, found.examples) == ("translate", 3)
        [source] = found.sources
        pair = source.sample[0].source[0], source.sample[0].target
        expected = (
            (ENGLISH[0], GERMAN[0]) if found.languages[0] == "en" else (GERMAN[0], ENGLISH[0])
        )
        assert (pair[::-1] if source.config.swap else pair) == expected


def test_two_sides_are_a_bitext(tmp_path: Path) -> None:
    paths = [
        write_rows(tmp_path / "train.en", ENGLISH),
        write_rows(tmp_path / "train.de", GERMAN),
    ]
    found = survey(paths, languages=())
    assert (found.task, found.languages, found.examples) == ("translate", ("en", "de"), 30)
    assert found.sources[0].config.format == "bitext"


def test_a_folder_has_a_source_for_each_format(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.jsonl", ('{"turns": ["Hello.", "Hi."]}',))
    (tmp_path / "b.srt").write_text("1\n00:00:01,000 --> 00:00:02,500\n- Who?\n- Me.\n")
    (tmp_path / "LICENSE.jpg").write_bytes(b"\x00\x01")
    found = survey([str(tmp_path)], languages=("en",))
    assert {source.config.format for source in found.sources} == {"jsonl", "subtitles"}
    assert {source.config.path for source in found.sources} == {str(tmp_path)}
    assert [source.encodings for source in found.sources] == [(), ("utf-8",)]


def test_a_single_file_among_many_others_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.new.grouping.INSPECTED_FILES", 2)
    for name in "abdef":
        (tmp_path / f"{name}.srt").write_text("1\n00:00:01,000 --> 00:00:02,500\n- Who?\n- Me.\n")
    write_rows(tmp_path / "c.tsv", ENGLISH, ENGLISH[::-1])
    found = survey([str(tmp_path)], languages=("en",))
    assert {source.config.format for source in found.sources} == {"subtitles", "exchanges"}


def test_what_comes_with_a_corpus_is_none_of_it(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", ("question,answer", "Who is it?,It is me."))
    (tmp_path / "a.de-en.ids").write_text("en/1.xml.gz\tde/1.xml.gz\t1\t1\n" * 9)  # of OPUS
    (tmp_path / "LICENSE").write_text("Permission is granted.\nWithout warranty.\n" * 9)
    (tmp_path / "readme.txt").write_text("These are questions.\nThere are answers.\n" * 9)
    write_rows(tmp_path / "sample_submission.csv", ("question,answer", "Who is it?,Dummy."))
    found = survey([str(tmp_path)], languages=())
    assert [source.config.format for source in found.sources] == ["table"]


def test_files_whose_names_do_not_tell_their_format_are_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", ("question,answer", "Who is it?,It is me."))
    write_rows(tmp_path / "talk", ENGLISH)
    found = survey([str(tmp_path)], languages=())
    assert {source.config.path for source in found.sources} == {
        str(tmp_path),
        str(tmp_path / "talk"),
    }


@pytest.mark.parametrize(
    "names",
    [
        ("a.en.txt", "a.de.txt"),
        ("a_en.txt", "a_de.txt"),
        ("my_en.txt", "my_de.txt"),
        ("en-US.txt", "de-AT.txt"),
        ("A.EN", "a.de"),
        ("a.en-US", "a.de_AT"),
        ("a_en-US.txt", "a_de-Latn.txt"),
        ("en/a.txt", "de/a.txt"),
        ("en/1/a.txt.en", "en/1/a.txt.de"),
    ],
)
@pytest.mark.parametrize("languages", [(), ("en-GB", "DE")])
def test_sides_may_be_text_files(
    tmp_path: Path, names: tuple[str, str], languages: tuple[str, ...]
) -> None:
    paths = [
        write_rows(tmp_path / name, texts)
        for name, texts in zip(names, (ENGLISH, GERMAN), strict=True)
    ]
    for given in (paths, [str(tmp_path)]):
        found = survey(given, languages=languages)
        assert (found.task, found.examples) == ("translate", 30)


@pytest.mark.parametrize(
    "names",
    [
        ("newstest2021.de-en.src.de", "newstest2021.de-en.ref.A.en"),
        ("train.src", "train.tgt"),
        ("train.source", "train.target"),
        ("src-train.txt", "tgt-train.txt"),
        ("x.src", "x.ref0"),
        ("Source.txt", "Target.txt"),
    ],
)
def test_the_names_of_sides_tell_the_direction(tmp_path: Path, names: tuple[str, str]) -> None:
    for name, texts in zip(names, (GERMAN, ENGLISH), strict=True):
        write_rows(tmp_path / name, texts)
    for given in ([str(tmp_path)], [str(tmp_path / name) for name in names]):
        found = survey(given, languages=())
        assert (found.task, found.languages, found.examples) == ("translate", ("de", "en"), 30)
        assert (found.sources[0].sample[0].target, found.left_out) == (ENGLISH[0], ())
    (tmp_path / names[1]).unlink()
    if not names[0].endswith(".txt"):
        with pytest.raises(CorpusError, match="the other side of this translation is missing"):
            survey([str(tmp_path)], languages=())


def test_each_reference_of_a_test_set_is_a_pair(tmp_path: Path) -> None:
    write_rows(tmp_path / "news.en-de.src.en", ENGLISH)
    for letter in "AB":
        write_rows(tmp_path / f"news.en-de.ref.{letter}.de", GERMAN)
    write_rows(tmp_path / "news.en-fr.src.en", ENGLISH)
    write_rows(tmp_path / "news.en-fr.ref.A.fr", FRENCH)
    found = survey([str(tmp_path)], languages=())
    assert (found.languages, found.examples) == (("en", "de"), 60)
    source = str(tmp_path / "news.en-fr.src.en")
    assert found.left_out == (Fault(source, "is en-fr, not en-de"),)
    asked = survey([str(tmp_path)], languages=("fr", "en"))
    assert (asked.examples, asked.sources[0].config.swap) == (30, True)
    reasons = {Path(fault.origin).name: fault.reason for fault in asked.left_out}
    assert reasons["news.en-de.ref.B.de"] == "is in de, not in fr or en"
    assert reasons["news.en-de.src.en"] == "the other side of this translation is missing"


def test_the_ids_beside_two_sides_are_left_out(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.src", GERMAN)
    write_rows(tmp_path / "train.trg", ENGLISH)
    path = write_rows(tmp_path / "train.id", ("v1", "v2", "v3"), ("deu",) * 3, ("eng",) * 3)
    found = survey([str(tmp_path)], languages=())  # as in the Tatoeba challenge
    assert (found.languages, found.examples) == (("de", "en"), 30)
    assert [fault.origin for fault in found.left_out] == [path]


def test_a_talk_on_sources_is_no_side(tmp_path: Path) -> None:
    write_rows(tmp_path / "open-source.txt", ENGLISH)
    assert survey([str(tmp_path)], languages=()).task == "reply"


def test_an_archive_is_read_as_a_folder(tmp_path: Path) -> None:
    sides, mixed = tmp_path / "sides.zip", tmp_path / "mixed.zip"
    with zipfile.ZipFile(sides, "w") as archive:
        for code, texts in (("en", ENGLISH), ("de", GERMAN), ("fr", FRENCH)):
            archive.writestr(f"data/train.{code}", "\n".join(texts))
    with zipfile.ZipFile(mixed, "w") as archive:
        archive.writestr("a.srt", "1\n00:00:01,000 --> 00:00:02,500\n- Who?\n- Me.\n")
        archive.writestr("b.tsv", "".join(map("{}\t{}\n".format, ENGLISH, GERMAN)))
    found = survey([str(sides)], languages=("en", "de"))
    assert [source.config.path for source in found.sources] == [f"{sides}/data/train.de"]
    found = survey([str(mixed)], languages=())
    assert [source.config.format for source in found.sources] == ["pairs"]
    assert [fault.reason for fault in found.left_out] == ["subtitles is not for translate"]
    assert survey([str(tmp_path)], languages=("en", "de")).examples == 6


def test_labels_of_turns_are_no_turns(tmp_path: Path) -> None:
    write_rows(tmp_path / "talk.txt", ENGLISH)
    write_rows(tmp_path / "emotions.txt", ("0 4 0", "1", "0 0 6"))
    assert [source.examples for source in survey([str(tmp_path)], languages=()).sources] == [29]
    for names in (("a.src", "a.tgt"), ("en/a.txt", "de/a.txt")):  # digits to reverse
        folder = tmp_path / names[0].replace("/", "-")
        for name in names:
            write_rows(folder / name, ("1 2 3", "4 5"))
        assert survey([str(folder)], languages=()).sources[0].config.format == "bitext"
    smileys = write_rows(tmp_path / "smileys.txt", ("😀", "😀 🎉"))
    with pytest.raises(CorpusError, match=r"smileys\.txt: has no words"):
        survey([smileys], languages=())


def test_the_corpus_of_cornell_is_not_read_as_lines(tmp_path: Path) -> None:
    line = "L{} +++$+++ u0 +++$+++ m0 +++$+++ ANNA +++$+++ Who is there?\n"
    (tmp_path / "movie_lines.txt").write_text(line.format(194) + line.format(195))
    (tmp_path / "movie_conversations.txt").write_text(FORMATS["cornell"].example)
    (tmp_path / "raw_script_urls.txt").write_text("m0 +++$+++ film +++$+++ http://x.org\n")
    write_rows(tmp_path / "talk.txt", ENGLISH)
    found = survey([str(tmp_path)], languages=())
    assert sorted((source.config.path, source.config.format) for source in found.sources) == [
        (str(tmp_path / "movie_conversations.txt"), "cornell"),
        (str(tmp_path / "talk.txt"), "lines"),
    ]


def test_two_chats_in_one_language_are_no_sides(tmp_path: Path) -> None:
    paths = [write_rows(tmp_path / name, ENGLISH) for name in ("monday_en.txt", "tuesday_en.txt")]
    assert survey(paths, languages=()).task == "reply"


def test_two_chats_in_folders_of_departments_are_no_sides(tmp_path: Path) -> None:
    paths = [write_rows(tmp_path / name, ENGLISH) for name in ("it/monday.txt", "hr/tuesday.txt")]
    assert survey(paths, languages=()).task == "reply"


def test_a_folder_of_two_sides_is_a_bitext(tmp_path: Path) -> None:
    for part in ("one", "two"):
        write_rows(tmp_path / f"{part}.en", ENGLISH)
        write_rows(tmp_path / f"{part}.de", GERMAN)
    write_rows(tmp_path / "more.tsv", ENGLISH, GERMAN)
    for paths in ([str(tmp_path)], sorted(map(str, tmp_path.iterdir()))):
        found = survey(paths, languages=("en", "de"))
        assert (found.task, found.examples) == ("translate", 90)
        formats = sorted(source.config.format for source in found.sources)
        assert formats == ["bitext", "bitext", "pairs"]
    write_rows(tmp_path / "two.fr", GERMAN)
    found = survey([str(tmp_path)], languages=("en", "de"))
    assert found.examples == 90
    assert found.left_out == (Fault(str(tmp_path / "two.fr"), "is in fr, not in en or de"),)
    with pytest.raises(CorpusError, match=r"sides in de, en, fr\. .* such as --languages de en"):
        survey([str(tmp_path)], languages=())


def test_languages_that_no_side_has_are_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "val_en.txt", ENGLISH)
    write_rows(tmp_path / "val_de.txt", GERMAN)
    with pytest.raises(CorpusError, match=r"val_de\.txt: is in de, not in en or fr\."):
        survey([str(tmp_path)], languages=("en", "fr"))


def test_sides_that_do_not_fit_together_do_not_stop_the_others(tmp_path: Path) -> None:
    for name in ("val", "short", "broken"):
        write_rows(tmp_path / f"{name}.en", ENGLISH)
        write_rows(tmp_path / f"{name}.de", GERMAN, times=9 if name == "short" else 10)
    (tmp_path / "broken.de").rename(tmp_path / "broken.de.gz")
    write_rows(tmp_path / "alone.en", ENGLISH, times=50)
    found = survey([str(tmp_path)], languages=("en", "de"))
    assert (found.task, found.examples) == ("translate", 30)
    reasons = {fault.origin: fault.reason for fault in found.left_out}
    assert set(reasons) == {
        str(tmp_path / name) for name in ("short.de", "broken.de.gz", "broken.en", "alone.en")
    }
    assert "has 27 lines, but" in reasons[str(tmp_path / "short.de")]

    (tmp_path / "val.en").unlink()
    (tmp_path / "alone.en").unlink()
    (tmp_path / "val.de").unlink()
    with pytest.raises(CorpusError, match=r"contains an example\. .*short\.de: has 27 lines"):
        survey([str(tmp_path)], languages=("en", "de"))


def test_sides_of_which_only_the_ends_differ_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.new.survey.MAX_READ", 20)
    write_rows(tmp_path / "a.en", ENGLISH, times=5000)
    write_rows(tmp_path / "a.de", GERMAN, times=5001)
    with pytest.raises(CorpusError, match=r"a\.de: has 15003 lines, but .*a\.en has 15000"):
        survey([str(tmp_path)], languages=())


@pytest.mark.parametrize("names", [("a.tsv",), ("a.ru", "a.de")])
def test_the_number_of_examples_is_estimated_in_any_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    monkeypatch.setattr("training.new.survey.MAX_READ", 20)
    sides = [(RUSSIAN, GERMAN)] if len(names) == 1 else [(RUSSIAN,), (GERMAN,)]
    paths = [
        write_rows(tmp_path / name, *columns, times=500)
        for name, columns in zip(names, sides, strict=True)
    ]
    [source] = survey(paths, languages=()).sources
    assert source.is_estimate
    assert source.examples == pytest.approx(1500, rel=0.2)


@pytest.mark.parametrize("languages", [(), ("de", "en")])
def test_translations_in_records_are_of_the_languages_that_they_name(
    tmp_path: Path, languages: tuple[str, ...]
) -> None:
    for code, texts in (("de", GERMAN), ("fr", FRENCH)):
        pairs = [{"en": one, code: two} for one, two in zip(ENGLISH, texts, strict=True)]
        (tmp_path / f"en-{code}.jsonl").write_text(
            "".join(json.dumps({"translation": pair}) + "\n" for pair in pairs)
        )
    found = survey([str(tmp_path)], languages=languages)
    [source] = found.sources
    assert found.languages == source.config.languages == (languages or ("en", "de"))
    assert source.sample[0].target == (ENGLISH if languages else GERMAN)[0]
    [fault] = found.left_out
    assert fault.origin.startswith(str(tmp_path / "en-fr.jsonl"))


def test_what_cannot_train_the_task_is_left_out_and_listed(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.tsv", ENGLISH, GERMAN)
    (tmp_path / "b.srt").write_text("1\n00:00:01,000 --> 00:00:02,500\n- Who?\n- Me.\n")
    found = survey([str(tmp_path)], languages=())
    [fault] = found.left_out
    assert fault.reason == "subtitles is not for translate"


def test_if_nothing_can_be_read_each_kind_of_fault_is_named(tmp_path: Path) -> None:
    for name in ("acts_test.txt", "acts_train.txt"):
        write_rows(tmp_path / name, ("1 2", "1 1 3"))
    write_rows(tmp_path / "talks.txt", ("1. Hello.", "2. Good day.", "3. Bye."), times=1)
    with pytest.raises(CorpusError, match=r"acts_test\.txt: has no words.*talks\.txt: .*numbers"):
        survey([str(tmp_path)], languages=())


def test_columns_in_other_languages_are_named(tmp_path: Path) -> None:
    texts = [*zip(ENGLISH, GERMAN, FRENCH, strict=True)] * 10
    rows = [",".join(f"{i} {text}" for text in row) for i, row in enumerate(texts)]
    (tmp_path / "a.csv").write_text("\n".join(["English,German,French", *rows]))
    reason = r"a\.csv: is de-fr in German and French .a recipe may name other columns., not en-de"
    with pytest.raises(CorpusError, match=reason):
        survey([str(tmp_path / "a.csv")], languages=("en", "de"))


def test_a_file_without_an_example_is_named(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.csv", ("question,answer",), times=1)
    with pytest.raises(CorpusError, match=r"a\.csv: contains no example\."):
        survey([path], languages=())


def test_a_file_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.tsv", ENGLISH, GERMAN)
    (tmp_path / "b.tsv.gz").write_text("Who is there?\tWer ist da?\n")
    (tmp_path / "c.srt").write_text("not subtitles\n")
    found = survey([str(tmp_path)], languages=())
    assert [source.config.path for source in found.sources] == [path]
    assert {fault.origin for fault in found.left_out} == {
        str(tmp_path / name) for name in ("b.tsv.gz", "c.srt")
    }


def test_files_for_other_programs_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.tsv", ENGLISH, GERMAN)
    for name in ("b.docx", "c.docx", "d.xlsx", "e.smi", "photo.jpg"):
        (tmp_path / name).write_bytes(b"PK\3\4\0")
    found = survey([str(tmp_path)], languages=())
    assert [source.config.path for source in found.sources] == [str(tmp_path)]
    reasons = {Path(fault.origin).name: fault.reason for fault in found.left_out}
    assert set(reasons) == {"b.docx", "d.xlsx", "e.smi"}
    assert reasons["b.docx"].endswith("one pair per line. So for 1 more")


def test_the_subtitles_of_youtube_are_found_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.sbv").write_text(
        "0:00:01.000,0:00:02.000\nWho is there?\n\n0:00:03.000,0:00:04.000\nIt is me.\n"
    )
    (tmp_path / "notes.txt").write_text("")
    assert [each.config.format for each in survey([str(tmp_path)], languages=()).sources] == [
        "subtitles"
    ]


def test_an_export_of_slack_is_one_source(tmp_path: Path) -> None:
    export = tmp_path / "slack.zip"
    with zipfile.ZipFile(export, "w") as archive:
        archive.writestr("users.json", '[{"id": "U1", "name": "anna"}]')
        archive.writestr("channels.json", '[{"id": "C1", "name": "general"}]')
        for day in "12":
            archive.writestr(f"general/2020-12-3{day}.json", FORMATS["slack"].example)
    [source] = survey([str(export)], languages=()).sources
    assert (source.config.path, source.config.format) == (str(export), "slack")
    assert (source.examples, source.faults) == (2, 0)


def test_each_table_of_a_folder_has_its_own_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question,answer\nWho is it?,It is me.\n")
    (tmp_path / "b.csv").write_text("Frage;Antwort\nWer ist da?;Ich bin es.\n")
    found = survey([str(tmp_path)], languages=())
    assert [source.config.columns for source in found.sources] == [
        ("question", "answer"),
        ("Frage", "Antwort"),
    ]
    assert found.examples == 2


def test_a_table_of_numbers_does_not_divide_a_folder_of_films(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("one.srt", "two.srt"):
        (folder / name).write_text(FORMATS["subtitles"].example)
    (folder / "years.csv").write_text("film,year\n1,1999\n2,2001\n")
    found = survey([str(folder)], languages=())
    assert [(source.config.path, source.files) for source in found.sources] == [(str(folder), 2)]
    assert found.left_out[0].origin == str(folder / "years.csv")


def test_the_languages_of_columns_are_chosen(tmp_path: Path) -> None:
    rows = [("id", "en", "de", "fr"), *zip("123", ENGLISH, GERMAN, FRENCH, strict=True)]
    path = tmp_path / "a.csv"
    path.write_text("".join(";".join(row) + "\n" for row in rows))
    with pytest.raises(CorpusError, match=r"a\.csv: has sides in en, de, fr\. Choose source"):
        survey([str(path)], languages=())
    found = survey([str(path)], languages=("fr", "en-GB"))
    [source] = found.sources
    assert (source.config.columns, source.config.swap) == (("en", "fr"), True)


def test_pairs_in_other_languages_are_left_out(tmp_path: Path) -> None:
    paths = [
        write_rows(tmp_path / "a.tsv", ENGLISH, FRENCH),
        write_rows(tmp_path / "b.tsv", ENGLISH, GERMAN, times=20),
    ]
    assert survey(paths, languages=()).left_out == (Fault(paths[0], "is en-fr, not en-de"),)
    with pytest.raises(CorpusError, match=r"is en-de, not de-fr\. Correct --languages"):
        survey(paths, languages=("de", "fr"))


def test_comments_that_answer_each_other_are_found_in_a_folder(tmp_path: Path) -> None:
    comments = [
        {"id": "b", "parent_id": "t1_a", "author": "Ben", "body": ENGLISH[1]},
        {"id": "c", "parent_id": "t1_b", "author": "Ann", "body": ENGLISH[2]},
        {"id": "a", "parent_id": "t3_x", "author": "Ann", "body": ENGLISH[0]},
    ]
    folder = tmp_path / "comments"
    folder.mkdir()
    for name in ("RC_2015-01.jsonl", "RC_2015-02.jsonl"):
        (folder / name).write_text("".join(f"{json.dumps(each)}\n" for each in comments))
    found = survey([str(folder)], languages=())
    assert [(each.source, each.target) for each in found.sample] == 2 * [
        (ENGLISH[:1], ENGLISH[1]),
        (ENGLISH[:2], ENGLISH[2]),
    ]
    (tmp_path / "a.toml").write_text(recipe_text("a", "runs/a", found, propose(found)))
    [source] = read_recipe(tmp_path / "a.toml").corpus.sources
    assert source.reply_columns == ("id", "parent_id", "author")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.xlsx", "PK\3\4", "Save the sheet as .csv"),
        ("a.pdf", "%PDF-1.4", "Save its text as .txt"),
        ("a.xliff", "<xliff/>", "Export it as .tmx"),
        ("strings.xml", "<resources/>", "Export it as .tmx"),
        ("de.json", '{"home": {"title": "Hallo"}}', "has texts by keys, in one language"),
        ("a.db", "SQLite", "Export its table as .csv"),
        ("mail.mbox", "From a@b.org", "Message-ID, In-Reply-To"),
        ("a.arrow", "ARROW", "Save it as .parquet"),
        ("irc.log", "[21:15] <anna> hi", "write it to a .txt as WhatsApp does"),
        ("a.jsonl", '{"en": "Yes."}\n', "a.jsonl:1: not a conversation or pair: .*name `columns`"),
        ("a.tsv", "One thing.\t\nAnother thing.\t \n", "a.tsv:1: one of its sides is empty"),
        ("a.tmp", "one", "docs/corpora.md shows each format"),
        ("a.csv", "id,text\n1,One thing.\n2,Another thing.\n", "Its columns: id, text. docs"),
        ("a.csv", "key,text\nhome.title,One.\nhome.end,Two.\n", "has no two columns of text"),
        ("a.jsonl", '{"en": "a", "de": "b", "fr": "c"}\n', "has sides in en, de, fr. Choose"),
        ("a.txt", "One thing.\n\nAnother thing.\n", "a.txt: no line follows another without"),
        ("a.tsv", "2004-11-23T11:49:00Z\tann\tWho?\n", "lines begin with times"),
        ("a.txt", "ANNA\nWho is it?\nBEN\nMe.\n" * 2, "names .ANNA, BEN. on lines of their own"),
    ],
)
def test_files_of_other_kinds_are_told_what_to_do(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(CorpusError, match=f"contains an example. .*{reason}"):
        survey([str(tmp_path / name)], languages=())


def test_a_name_that_no_recipe_can_hold_is_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a\udcff.tsv", ENGLISH, GERMAN)
    with pytest.raises(CorpusError, match="name is not UTF-8, which recipes require"):
        survey([path], languages=())


def test_files_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one line\n")
    with pytest.raises(CorpusError, match="no file of a known format contains an example"):
        survey([str(tmp_path)], languages=())


def test_files_that_do_not_fit_the_task_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,500\n- Who?\n- Me.\n")
    with pytest.raises(CorpusError, match=r"cannot train task 'translate'\..* subtitle-pairs"):
        survey([str(tmp_path)], task="translate", languages=())


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ((ENGLISH, GERMAN), "translates everyday sentences"),
        ((ENGLISH, FRENCH), "these texts alone"),
        ((tuple(f"Question {i}?" for i in range(99)), ("Yes.",) * 99), "by heart"),
        ((ENGLISH, ENGLISH[::-1]), "everyday English"),  # each question often: no list of answers
    ],
)
def test_a_recipe_that_is_written_can_be_read(
    tmp_path: Path, columns: tuple[tuple[str, ...], ...], kind: str
) -> None:
    path = write_rows(tmp_path / "a.tsv", *columns, times=1 if kind == "by heart" else 10)
    found = survey([path], languages=())
    proposal = propose(found)
    assert kind in proposal.kind
    recipe_path = tmp_path / "a.toml"
    recipe_path.write_text(recipe_text(name_of(path), "runs/a", found, proposal))
    recipe = read_recipe(recipe_path)
    assert (recipe.name, recipe.task, recipe.languages) == ("a", found.task, found.languages)
    assert [source.path for source in recipe.corpus.sources] == [path]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{'a' * 150}.tsv", "a" * 100),
        ("films/", "films"),
        ("my talks/*.srt", "my-talks"),
        ("a/fra-eng.tsv.gz", "fra-eng"),
        ("Folge①²٣.srt", "Folge--٣"),
    ],
)
def test_a_model_is_named_after_its_files(path: str, name: str) -> None:
    assert name_of(path) == name
