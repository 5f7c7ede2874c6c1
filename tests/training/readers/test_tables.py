from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import CorpusError
from training.files.records import Example, Fault
from training.readers.fields import Fields
from training.readers.tables import read_table

CSV = 'id,film,question,answer\n7,Heat,"Who, me?","He said ""yes""."\n8,Heat,Why?,No.\n'


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_columns_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", CSV)
    assert list(read_table(path, Fields(("question", "answer"), "film"))) == [
        Example(("Who, me?",), 'He said "yes".', "Heat", f"{path}:2"),
        Example(("Why?",), "No.", "Heat", f"{path}:3"),
    ]
    assert [
        each.group
        for each in read_table(path, Fields(("answer", "id")))
        if isinstance(each, Example)
    ]


@pytest.mark.parametrize("separator", ",;|\t")
def test_the_first_row_tells_the_separator(tmp_path: Path, separator: str) -> None:
    path = write(tmp_path / "a.csv", CSV.replace(",", separator).replace('"Who; me?"', "Who"))
    assert [
        each.target
        for each in read_table(path, Fields(("id", "answer")))
        if isinstance(each, Example)
    ]


@pytest.mark.parametrize(
    ("rows", "targets"),
    [
        ('"One, two.";"Un, deux."\n"Yes, I do.";"Oui, oui."\n', ["Un, deux.", "Oui, oui."]),
        ("One, two.;Un, deux.\nYes, I do.;Oui, oui.\n", ["Un, deux.", "Oui, oui."]),
        ("One, two.;Un, deux.\nYes, I do, I do.;Oui.\nNo.;Non.\n", ["Un, deux.", "Oui.", "Non."]),
        ('"One,\ntwo";Un\n"Four,\nfive";Quatre\nsix;Six\n', ["Un", "Quatre", "Six"]),
    ],
)
@pytest.mark.parametrize("header", ["", "en;fr\n"])
def test_commas_in_texts_separate_nothing(
    tmp_path: Path, rows: str, targets: list[str], header: str
) -> None:
    path = write(tmp_path / "a.csv", f"{header}{rows}")
    found = read_table(path, Fields(("en", "fr") if header else ("1", "2")))
    assert [each.target for each in found if isinstance(each, Example)] == targets


def test_quotes_are_text_in_a_tsv(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", 'en\tde\n"Yes\t"Ja\nNo\tNein\n')
    found = [(each.source, each.target) for each in read_table(path, Fields(("en", "de")))]  # type: ignore[union-attr]
    assert found == [(('"Yes',), '"Ja'), (("No",), "Nein")]


def test_numbers_are_columns_of_a_table_without_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "1276\tLet's go!\t77\tGehen wir!\n")
    assert list(read_table(path, Fields(("2", "4")))) == [
        Example(("Let's go!",), "Gehen wir!", "Let's go!", f"{path}:1")
    ]


def test_rows_of_a_conversation_are_its_turns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "talk,text\n1,a\n1,b\n1,c\n2,d\n2,e\n")
    assert list(read_table(path, Fields(("text",), "talk"))) == [
        Example(("a",), "b", f"{path}:1", f"{path}:3"),
        Example(("a", "b"), "c", f"{path}:1", f"{path}:4"),
        Example(("d",), "e", f"{path}:2", f"{path}:6"),
    ]


def test_a_line_break_within_quotes_keeps_the_count_of_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'a,b\n"x\ny",1\nz\nw,2\n')
    origins = [each.origin for each in read_table(path, Fields(("a", "b")))]
    assert origins == [f"{path}:2", f"{path}:4", f"{path}:5"]


def test_a_short_row_is_a_fault_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,b\n1\n1,2\n")
    fault, example = read_table(path, Fields(("a", "b")))
    assert fault == Fault(f"{path}:2", "has 1 columns, expected 2")
    assert isinstance(example, Example)


def test_a_table_that_is_not_in_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("質問,回答\n何時？,九時。\n".encode("cp932"))
    with pytest.raises(CorpusError, match="first row holds bytes that are not UTF-8"):
        next(iter(read_table(path, Fields(("質問", "回答")))))


def test_an_unknown_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "question,answer\n")
    with pytest.raises(CorpusError, match=r"has no column reply\. Its columns: question, answer\."):
        list(read_table(path, Fields(("question", "reply"))))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('2,"open,x', "a quotation mark is not closed"),
        ('2,open,"x', "a quotation mark is not closed"),
        ('"2,open,x', "a quotation mark is not closed"),
        ('2,"a" b,"x', "a quotation mark is not closed"),
        (f'2,"{"x" * 200_000}",y', "not a table's row: field larger than field limit (131072)"),
        ("2,Hello, you,x", "has 4 columns, expected 3"),
        ("2,Hello", "has 2 columns, expected 3"),
    ],
)
@pytest.mark.parametrize("later", ["plain", '"quoted"', '"quoted, twice"'])
def test_a_damaged_row_costs_no_other(tmp_path: Path, row: str, reason: str, later: str) -> None:
    rows = ["id,en,fr", "1,one,un", row, f"3,{later},trois", "4,four,quatre", '5,"five",cinq']
    path = write(tmp_path / "a.csv", "\n".join(rows))
    one, fault, *others = read_table(path, Fields(("en", "fr")))
    assert fault == Fault(f"{path}:3", reason)
    assert [each.target for each in (one, *others) if isinstance(each, Example)] == [
        "un",
        "trois",
        "quatre",
        "cinq",
    ]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ('"He said ""yes"", twice",x', 'He said "yes", twice'),
        ('5" wide,x', '5" wide'),
        ('"one\n\n""two"", three",x', 'one\n\n"two", three'),
        ("nul\0,x", "nul\0"),
        ('"a ""b""\nc",x,,', 'a "b"\nc'),
    ],
)
def test_marks_and_line_breaks_within_fields_are_no_damage(
    tmp_path: Path, row: str, text: str
) -> None:
    path = write(tmp_path / "a.csv", f"en,fr\n{row}\nlast,y\n")
    first, last = read_table(path, Fields(("en", "fr")))
    assert isinstance(first, Example) and isinstance(last, Example)
    assert (first.source, first.target) == ((text,), "x")
    assert last.source == ("last",)


def test_excel_may_name_the_separator(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "sep=;\nen;fr\none, two;un, deux\n")
    assert list(read_table(path, Fields(("en", "fr")))) == [
        Example(("one, two",), "un, deux", "one, two", f"{path}:3")
    ]


@settings(max_examples=80)
@given(wild=st.text(alphabet='ab,"\r \0', max_size=12), after=st.integers(0, 4))
def test_what_a_row_holds_never_costs_those_without_marks(
    tmp_path: Path, wild: str, after: int
) -> None:
    path = write(tmp_path / "a.csv", "en,fr\nfirst,x\n" + wild + "\nlast,y" * after)
    targets = [
        each.target for each in read_table(path, Fields(("en", "fr"))) if isinstance(each, Example)
    ]
    assert targets[0] == "x"
    assert targets.count("y") == after


@settings(max_examples=80)
@given(content=st.binary(max_size=80), name=st.sampled_from(["a.csv", "a.tsv"]))
def test_wild_bytes_are_faults_at_worst(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"a,b\n" + content)
    for columns in (("1", "2"), ("1",)):
        for record in read_table(path, Fields(columns, "2" if len(columns) == 1 else "")):
            assert record.origin.startswith(f"{path}:")
