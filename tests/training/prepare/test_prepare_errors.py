"""What ends `prepare`, from the command line: one sentence, and no traceback."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from training.__main__ import main
from training.files.locks import locked

resource = pytest.importorskip("resource")

RECIPE = """
name = "test"
task = "translate"
languages = ["en", "fr"]
output = "{output}"

[corpus]
rules = ["{rule}"]
dev_fraction = 0.2
sources = [{{ format = "{form}", path = "{path}" }}]

[tokenizer]
type = "word"
"""
ENGLISH = [f"We saw {n} boats on the sea this morning." for n in range(300)]
FRENCH = [f"Nous avons vu {n} bateaux sur la mer ce matin." for n in range(300)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQ2SEQ_DATA", str(tmp_path / "data"))
    write_pairs(tmp_path / "pairs.tsv", ENGLISH, FRENCH)
    return tmp_path


def write_pairs(path: Path, one: list[str], other: list[str]) -> None:
    path.write_text("".join(f"{a}\t{b}\n" for a, b in zip(one, other, strict=True)), "utf-8")


def write_recipe(
    path: str, *, output: str = "run", form: str = "pairs", rule: str = "length"
) -> None:
    Path("recipe.toml").write_text(RECIPE.format(path=path, output=output, form=form, rule=rule))


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["prepare", "recipe.toml"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    return message


def test_an_archive_whose_sides_differ(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("a.en-fr.en", "\n".join(ENGLISH))
        archive.writestr("a.en-fr.fr", "\n".join(FRENCH[:4] + FRENCH[5:]))
    write_recipe("a.zip", form="moses")
    message = error_of(capsys)
    assert "a.en-fr.en: has 300 lines, but" in message
    assert "a.en-fr.fr has 299. Both sides must be line-aligned." in message


def test_sides_that_are_swapped(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pairs(folder / "swapped.tsv", FRENCH, ENGLISH)
    write_recipe("swapped.tsv", rule="language")
    assert "Check that `languages` match the files, in the same order (or set `swap`)" in error_of(
        capsys
    )


def test_what_is_too_long_hints_at_no_swap(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pairs(folder / "long.tsv", ["much " * 300] * 9, ["trop " * 300] * 9)
    write_recipe("long.tsv")
    assert "swap" not in error_of(capsys)


@pytest.mark.parametrize("output", ["pairs.tsv", "pairs.tsv/below"])
def test_an_output_below_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    write_recipe("pairs.tsv", output=output)
    assert f"error: {output}: cannot be written" in error_of(capsys)
    assert (folder / "pairs.tsv").is_file()


def test_an_output_in_which_other_data_lie(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = folder / "data" / "corpus.tsv"
    own.parent.mkdir()
    write_pairs(own, ENGLISH, FRENCH)
    write_recipe("data/corpus.tsv", output=".")
    assert "data: contains corpus.tsv, which was not written by `prepare`" in error_of(capsys)
    assert own.is_file()


def test_an_output_in_which_another_process_works(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_recipe("pairs.tsv")
    with locked(folder / "run"):
        assert "run: another process is using it. Wait until it ends" in error_of(capsys)
    assert main(["prepare", "recipe.toml"]) == 0


@pytest.mark.parametrize(
    ("limit", "most", "workers", "reason"),
    [
        (resource.RLIMIT_FSIZE, 20_000, 1, "cannot be written: File too large."),
        (resource.RLIMIT_FSIZE, 20_000, 2, "cannot be written: File too large."),
        (resource.RLIMIT_NOFILE, 12, 2, "(Too many open files)."),
    ],
)
def test_a_limit_of_the_system(
    folder: Path, limit: int, most: int, workers: int, reason: str
) -> None:
    write_recipe("pairs.tsv")
    done = run_limited(limit, most, workers)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert not [*folder.glob("run/data.partial/work/candidates/*")]  # nothing half written


def test_few_open_files_are_enough_for_many_files(folder: Path) -> None:
    (folder / "many").mkdir()
    for number in range(300):
        write_pairs(folder / "many" / f"{number}.tsv", [ENGLISH[number]], [FRENCH[number]])
    write_recipe("many")
    assert run_limited(resource.RLIMIT_NOFILE, 32, 2).returncode == 0


def run_limited(limit: int, most: int, workers: int) -> subprocess.CompletedProcess[str]:
    """Runs `prepare` with a limit of the system, which its processes inherit."""
    code = (
        f"import resource, sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "from training.__main__ import main\n"
        "if __name__ == '__main__':\n"
        f"    resource.setrlimit({limit}, ({most}, {most}))\n"
        f"    sys.exit(main(['prepare', 'recipe.toml', '--workers', '{workers}']))\n"
    )
    Path("limited.py").write_text(code)
    return subprocess.run(
        [sys.executable, "limited.py"], capture_output=True, text=True, timeout=200
    )
