"""`python -m training new|train PATH...`, `prepare|fit|evaluate|export RECIPE`, `mine FILE...`,
`align FILE FILE`, `distill RECIPE MODEL...`, `backtranslate MODEL FILE`."""

from __future__ import annotations

import argparse
import io
import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import fields
from pathlib import Path
from typing import Literal, TextIO, TypeAlias, TypeVar, get_args

from model.config import Task
from model.engine import EngineName
from model.errors import ConfigError, Seq2SeqError
from model.quiet import quiet_framework
from training.alignment.align import FilmPair, film_pairs
from training.cleaning.languages import can_identify
from training.errors import CorpusError, explain
from training.files.paths import writing
from training.files.records import Fault
from training.formats import MIN_SCORE
from training.new.write import name_of
from training.prepare.advice import expectation_of, notes_of
from training.prepare.cluster import Cluster, connect
from training.prepare.prepare import prepare
from training.recipe import read_complete_recipe, read_recipe_to_train
from training.subtitles.mine import Exchange, MiningOptions, is_mined, mine
from training.synthesis import Keep

STRICT = "stop at the first unreadable record or file instead of skipping it"
#: Commands that write data to standard output.
PRINTING = ("mine", "align")
#: Commands that resume after an interruption.
RESUMING = ("prepare", "fit", "train", "distill", "backtranslate")
#: Commands from a recipe to a model, in order.
RECIPE_COMMANDS = ("prepare", "fit", "export", "evaluate")
PRECISIONS: tuple[Literal["float32", "int8"], ...] = ("float32", "int8")


Found = TypeVar("Found", Exchange, FilmPair)

#: Subparsers to which commands are added.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: list[str] | None = None, program: str = "python -m training") -> int:
    """Runs one command. Returns the exit code."""
    chosen = _parser(program).parse_args(arguments)
    try:
        summary = chosen.run(chosen)
        with writing(Path("standard output")):
            if not summary:  # another process prints it
                return 0
            print(summary, file=sys.stderr if chosen.command in PRINTING else sys.stdout)
            sys.stdout.flush()
    except Seq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # as of `mine ... | head`
        _discard_output()
        return 1
    except OSError as error:
        print(f"error: {_describe(error, chosen)}", file=sys.stderr)
        _discard_output()
        return 1
    except KeyboardInterrupt:
        is_kept = chosen.command in RESUMING
        print(
            "stopped; the same command resumes from here" if is_kept else "stopped", file=sys.stderr
        )
        return 130
    return 0


def _discard_output() -> None:
    """Discards what standard output still buffers: Python would try to write it at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _describe(error: OSError, chosen: argparse.Namespace) -> str:
    """Describes in one sentence what could not be read or written, why, and what to do."""
    place = error.filename or f"output of {getattr(chosen, 'recipe', chosen.command)}"
    return f"{place}: {explain(error)}"


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_new(commands)
    _add_recipe_commands(commands)
    _add_mine(commands)
    _add_align(commands)
    _add_synthesis(commands)
    for name in PRINTING:
        commands.choices[name].add_argument(
            "-o", "--output", type=Path, help="file to write instead of standard output"
        )
        commands.choices[name].add_argument("--strict", action="store_true", help=STRICT)
    return parser


def _add_recipe_commands(commands: Commands) -> None:
    for name, run, add_options, description in (
        ("prepare", _prepare, _add_prepare_options, "read, clean, split and tokenise the corpus"),
        ("fit", _fit, _add_fit_options, "train or resume training, and write the model folder"),
        (
            "evaluate",
            _evaluate,
            _add_evaluate_options,
            "score the model on the test split and complete its model card",
        ),
        (
            "export",
            _export,
            _add_export_options,
            "add graphs for ONNX Runtime to the model, which are much faster on a CPU",
        ),
    ):
        command = commands.add_parser(name, help=description, description=description)
        command.add_argument("recipe", type=Path, help="recipe, for example recipes/scan.toml")
        command.set_defaults(run=run)
        add_options(command)


def _add_prepare_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--workers", type=_count, help="number of processes; default: one per core"
    )
    command.add_argument(
        "--executor",
        choices=("processes", "ray"),
        default="processes",
        help="run on processes of this machine or on a Ray cluster",
    )
    command.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="address of the Ray cluster; default: RAY_ADDRESS, else starts a cluster here",
    )
    command.add_argument("--strict", action="store_true", help=STRICT)


def _add_fit_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--devices",
        type=_count,
        default=1,
        help="number of devices per process; needs JAX",
    )


def _add_export_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--precision",
        choices=PRECISIONS,
        action="append",
        help="precision of the graphs; may be repeated; default: both",
    )
    command.add_argument(
        "--half-weights",
        action="store_true",
        help="store the weights in half precision, which halves their file",
    )
    command.add_argument(
        "--no-shortlist",
        dest="shortlist",
        action="store_false",
        help="leave out the shortlist graphs: a smaller folder, but slower replies",
    )
    command.add_argument(
        "--format",
        choices=("onnx", "ctranslate2"),
        default="onnx",
        help="ctranslate2: convert a Transformer for CTranslate2, into a separate folder",
    )


def _add_evaluate_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--test",
        nargs=2,
        type=Path,
        metavar=("SOURCE", "TARGET"),
        help="line-aligned files to evaluate instead of the test split",
    )
    command.add_argument(
        "--against",
        type=Path,
        metavar="OUTPUT",
        help="output of another run on the same sources, for a significance test",
    )
    command.add_argument(
        "--engine", choices=get_args(EngineName), default="auto", help="engine to use"
    )


def _add_new(commands: Commands) -> None:
    for name, run, description in (
        ("new", _new, "inspect files and write a recipe that suits them"),
        ("train", _train, "train a model on files in one go; the same command resumes"),
    ):
        command = commands.add_parser(name, help=description, description=description)
        command.add_argument(
            "paths", nargs="+", metavar="PATH", help="files, folders, globs or archives"
        )
        command.add_argument(
            "--task",
            choices=get_args(Task),
            help="task of the model; default: guessed from the files",
        )
        command.add_argument(
            "--languages",
            nargs="+",
            type=_language,
            default=[],
            metavar="CODE",
            help="source and target language, or one for replies; default: detected",
        )
        command.set_defaults(run=run)
    commands.choices["new"].add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="RECIPE",
        help="recipe to write; default: NAME.toml",
    )
    commands.choices["train"].add_argument(
        "-o", "--output", type=Path, required=True, metavar="MODEL", help="model folder to write"
    )


def _add_mine(commands: Commands) -> None:
    description = "print the exchanges in subtitle files, one JSON object per line"
    command = commands.add_parser("mine", help=description, description=description)
    command.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="files, folders, globs or archives; -: read a list of them from standard input",
    )
    command.add_argument(
        "--context-turns", type=_count, help="maximum number of turns of a context"
    )
    command.add_argument("--scene-pause", type=_seconds, help="seconds of silence that end a scene")
    command.add_argument(
        "--turn-pause", type=_seconds, help="maximum seconds between cues of one turn"
    )
    command.add_argument(
        "--keep-language", type=_language, help="code of the language to keep where cues show two"
    )
    command.set_defaults(run=_mine)


def _add_align(commands: Commands) -> None:
    description = (
        "print the sentence pairs of two subtitle files of a film, one JSON object per line"
    )
    command = commands.add_parser("align", help=description, description=description)
    command.add_argument(
        "source",
        help="subtitle file; -: read lines of SOURCE, a tab and TARGET from standard input",
    )
    command.add_argument("target", nargs="?", help="subtitle file of the film in another language")
    command.add_argument(
        "--min-score", type=_share, default=MIN_SCORE, help="minimum score of a pair, 0 to 1"
    )
    command.set_defaults(run=_align)


def _add_synthesis(commands: Commands) -> None:
    description = "write a student's targets: the answers of models to the sources of a recipe"
    command = commands.add_parser("distill", help=description, description=description)
    command.add_argument("recipe", type=Path, help="recipe whose corpus is prepared")
    command.add_argument("models", nargs="+", type=Path, metavar="MODEL", help="teacher models")
    command.add_argument(
        "--keep",
        choices=get_args(Keep),
        default="likeliest",
        help="keep the best answer of each model, or of all beams the one closest to the reference",
    )
    command.set_defaults(run=_distill)
    description = "write sources for texts with a model of the opposite direction"
    command = commands.add_parser("backtranslate", help=description, description=description)
    command.add_argument("model", type=Path, help="model folder")
    command.add_argument("texts", type=Path, help="texts in the target language, one per line")
    command.add_argument(
        "--sample", action="store_true", help="sample the sources, for more variety"
    )
    command.set_defaults(run=_backtranslate)
    for name in ("distill", "backtranslate"):
        commands.choices[name].add_argument(
            "-o", "--output", type=Path, required=True, help="TSV file to write"
        )


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more. Received: {text}")
    return count


def _language(text: str) -> str:
    if not can_identify(text):
        raise argparse.ArgumentTypeError(f"must be a known language code. Received: {text}")
    return text


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be seconds, 0 or more. Received: {text}")
    return seconds


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"must be 0 to 1. Received: {text}")
    return share


def _new(chosen: argparse.Namespace) -> str:
    with quiet_framework():
        from training.pipeline import write_recipe
    name = name_of(chosen.paths[0])
    recipe_path = chosen.output or Path(f"{name}.toml")
    write_recipe(
        chosen.paths,
        recipe_path,
        output=f"runs/{name}",
        task=chosen.task,
        languages=tuple(chosen.languages),
        say=_say,
    )
    quoted = shlex.quote(str(recipe_path))
    steps = (f"python -m training {step} {quoted}" for step in RECIPE_COMMANDS)
    return f"Check {recipe_path}, then run: {' && '.join(steps)}"


def _train(chosen: argparse.Namespace) -> str:
    with quiet_framework():
        from training.pipeline import train
    return train(
        chosen.paths,
        chosen.output,
        task=chosen.task,
        languages=tuple(chosen.languages),
        say=_say,
    )


def _say(line: str) -> None:
    print(line, flush=True)


def _prepare(chosen: argparse.Namespace) -> str:
    recipe = read_recipe_to_train(chosen.recipe)
    with _cluster(chosen) as cluster:
        corpus = prepare(
            recipe, chosen.recipe, workers=chosen.workers, cluster=cluster, strict=chosen.strict
        )
    parts = f"{len(corpus.train):,} train, {len(corpus.dev):,} dev, {len(corpus.test):,} test"
    faults = corpus.report["faults"]
    dropped = sum(corpus.report["dropped"].values())
    summary = f"{corpus.path}: {parts}; {dropped:,} left out, {faults:,} unreadable (report.html)"
    notes = (f"note: {note.text}" for note in notes_of(corpus.report, recipe))
    return "\n".join([summary, *_shares(cluster), expectation_of(corpus.report, recipe), *notes])


def _cluster(chosen: argparse.Namespace) -> AbstractContextManager[Cluster | None]:
    if chosen.executor == "ray" and not chosen.workers:
        return connect(chosen.address)
    if chosen.executor == "ray" or chosen.address:
        raise ConfigError(
            "--workers needs --executor processes, and --address needs --executor ray"
        )
    return nullcontext()


def _shares(cluster: Cluster | None) -> Iterator[str]:
    """Yields the work done by each node of a cluster."""
    for name, share in zip(("read", "tokenise"), cluster.shares if cluster else (), strict=False):
        nodes = (f"{node} {count:,}" for node, count in sorted(share.items()))
        yield f"{name}, pieces by node: {', '.join(nodes)}"


def _fit(chosen: argparse.Namespace) -> str:
    with quiet_framework():
        from training.fit.loop import fit

    return fit(read_recipe_to_train(chosen.recipe), chosen.devices)


def _evaluate(chosen: argparse.Namespace) -> str:
    with quiet_framework():
        from training.evaluation.report import evaluate

    test = tuple(chosen.test) if chosen.test else None
    recipe = read_complete_recipe(chosen.recipe)
    return evaluate(recipe, test=test, against=chosen.against, engine=chosen.engine)


def _export(chosen: argparse.Namespace) -> str:
    with quiet_framework():
        from training.export.export import convert, export

    recipe = read_complete_recipe(chosen.recipe)
    if chosen.format == "ctranslate2":
        return convert(recipe)
    return export(
        recipe,
        chosen.precision or PRECISIONS,
        half_weights=chosen.half_weights,
        with_shortlist=chosen.shortlist,
    )


def _distill(chosen: argparse.Namespace) -> str:
    with quiet_framework():
        from training.synthesis import distill
    recipe = read_complete_recipe(chosen.recipe)
    return distill(recipe, chosen.models, chosen.output, keep=chosen.keep)


def _backtranslate(chosen: argparse.Namespace) -> str:
    with quiet_framework():
        from training.synthesis import backtranslate
    return backtranslate(chosen.model, chosen.texts, chosen.output, sample=chosen.sample)


def _listed(paths: Iterable[str]) -> Iterator[str]:
    """Yields paths; `-` is replaced by the list on standard input."""
    for path in paths:
        yield from filter(None, map(str.strip, _input())) if path == "-" else [path]


def _input() -> TextIO:
    """Returns standard input."""
    if sys.stdin is None:
        raise CorpusError("standard input is closed, but - reads from it.")
    return sys.stdin


@contextmanager
def _open_output(path: Path | None) -> Iterator[TextIO]:
    """Opens a file, or standard output, in UTF-8.

    Raises:
        CorpusError: if it cannot be opened, or written while this context is open.
    """
    if path:
        with writing(path), path.open("w", encoding="utf-8", errors="replace") as file:
            yield file
        return
    if sys.stdout is None:
        raise CorpusError("standard output is closed. Open it, or set an output file with -o.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    with writing(Path("standard output")):
        try:
            yield sys.stdout
            sys.stdout.flush()
        except OSError:
            _discard_output()
            raise


def _is_read(output: Path) -> CorpusError:
    return CorpusError(f"{output}: is also an input. Choose another output.")


def _mine(chosen: argparse.Namespace) -> str:
    names = (field.name for field in fields(MiningOptions))
    given = {name: value for name in names if (value := getattr(chosen, name)) is not None}
    files: set[str] = set()
    paths: Iterable[str] = _listed(chosen.paths)
    if chosen.output and chosen.output.is_file():
        paths = list(paths)
        if is_mined(paths, chosen.output):
            raise _is_read(chosen.output)
    found = mine(paths, MiningOptions(**given), on_read=files.add)
    exchanges, faults = _print(found, chosen)
    return f"{exchanges:,} exchanges of {len(files):,} files; {faults:,} could not be read"


def _align(chosen: argparse.Namespace) -> str:
    if (chosen.source == "-") == bool(chosen.target):
        raise CorpusError("align needs two files, or - alone to read a list from standard input.")
    films: set[tuple[str, str]] = set()
    listed: Iterable[tuple[str, str]] = _films(chosen.source, chosen.target)
    if chosen.output and chosen.output.is_file():
        listed = list(listed)
        files = (Path(file) for film in listed for file in film)
        if any(file.is_file() and file.samefile(chosen.output) for file in files):
            raise _is_read(chosen.output)
    found = film_pairs(listed, chosen.min_score, on_read=films.add)
    pairs, faults = _print(found, chosen)
    return f"{pairs:,} pairs of {len(films):,} films; {faults:,} could not be read"


def _films(source: str, target: str | None) -> Iterator[tuple[str, str]]:
    """Yields the two files of a film, or of all films listed on standard input."""
    if target:
        yield source, target
        return
    for number, line in enumerate(_input(), start=1):
        first, tab, second = line.rstrip("\r\n").partition("\t")
        if tab:
            yield first, second
        elif line.strip():
            raise CorpusError(f"standard input:{number}: expected SOURCE, a tab, TARGET.")


def _print(records: Iterator[Found | Fault], chosen: argparse.Namespace) -> tuple[int, int]:
    """Prints records as JSON lines and faults on standard error; returns the number of each.

    An existing file is not changed until there is something to write.
    """
    count, faults = 0, 0
    output: TextIO | None = None
    with ExitStack() as opened:
        for record in records:
            if isinstance(record, Fault):
                if chosen.strict:
                    raise CorpusError(f"{record.origin}: {record.reason}")
                faults += 1
                print(f"left out: {record.origin}: {record.reason}", file=sys.stderr)
            else:
                output = output or opened.enter_context(_open_output(chosen.output))
                count += 1
                print(record.to_json(), file=output)
    if chosen.output and not output:
        print(f"{chosen.output}: not written, since nothing was found", file=sys.stderr)
    return count, faults


if __name__ == "__main__":
    sys.exit(main())
