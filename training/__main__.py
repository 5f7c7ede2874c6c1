"""`python -m training new|train PATH...`, `prepare|fit|evaluate|export RECIPE`, `mine FILE...`,
`align FILE FILE`, `distill RECIPE MODEL...`, `backtranslate MODEL FILE|RECIPE`,
`phrases RECIPE`."""

from __future__ import annotations

import argparse
import io
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from model.errors import ConfigError, Seq2SeqError, explain
from model.quiet import quiet_framework
from training.arguments import PRECISIONS, PRINTING, build_parser
from training.files.paths import writing
from training.json_lines import discard_output, run_align, run_mine
from training.new.write import name_of
from training.prepare.advice import expectation_of, notes_of
from training.prepare.cluster import Cluster, connect
from training.prepare.prepare import prepare
from training.recipe_file import read_complete_recipe, read_recipe_to_train

#: Commands that resume after an interruption.
RESUMING = ("prepare", "fit", "train", "distill", "backtranslate")
#: Commands from a recipe to a model, in order.
RECIPE_COMMANDS = ("prepare", "fit", "export", "evaluate")


def main(arguments: list[str] | None = None, program: str = "python -m training") -> int:
    """Runs one command. Returns the exit code."""
    chosen = build_parser(program, __doc__).parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files need not be UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        summary = RUN[chosen.command](chosen)
        with writing(Path("standard output")):
            if not summary:  # another process prints it
                return 0
            print(summary, file=sys.stderr if chosen.command in PRINTING else sys.stdout)
            sys.stdout.flush()
    except Seq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # as of `mine ... | head`
        discard_output()
        return 1
    except OSError as error:
        print(f"error: {_describe(error, chosen)}", file=sys.stderr)
        discard_output()
        return 1
    except KeyboardInterrupt:
        is_kept = chosen.command in RESUMING
        print(
            "stopped; the same command resumes from here" if is_kept else "stopped", file=sys.stderr
        )
        return 130
    return 0


def _describe(error: OSError, chosen: argparse.Namespace) -> str:
    """Describes in one sentence what could not be read or written, why, and what to do."""
    place = error.filename or f"output of {getattr(chosen, 'recipe', chosen.command)}"
    return f"{place}: {explain(error)}"


def _new(chosen: argparse.Namespace) -> str:
    with quiet_framework():
        from training.pipeline import write_recipe
    recipe_path = chosen.output or Path(f"{name_of(chosen.paths[0])}.toml")
    write_recipe(
        chosen.paths,
        recipe_path,
        output=f"runs/{recipe_path.stem}",
        task=chosen.task,
        languages=tuple(chosen.languages),
        say=_say,
    )
    quoted = shlex.quote(str(recipe_path))
    steps = (f"python -m seq2seq {step} {quoted}" for step in RECIPE_COMMANDS)
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
        from training.synthesis import check_output, distill, files_of
    recipe = read_complete_recipe(chosen.recipe)
    check_output(chosen.output, files_of(recipe, chosen.recipe))
    return distill(recipe, chosen.models, chosen.output, keep=chosen.keep, tag=chosen.tag)


def _backtranslate(chosen: argparse.Namespace) -> str:
    with quiet_framework():
        from training.synthesis import backtranslate, check_output, files_of
    texts = chosen.texts
    if texts.suffix == ".toml":
        texts = read_complete_recipe(texts)
        check_output(chosen.output, files_of(texts, chosen.texts))
    return backtranslate(chosen.model, texts, chosen.output, sample=chosen.sample, tag=chosen.tag)


def _phrases(chosen: argparse.Namespace) -> str:
    with quiet_framework():
        from training.phrases import extract_phrases
        from training.synthesis import check_output, files_of
    recipe = read_complete_recipe(chosen.recipe)
    check_output(chosen.output, files_of(recipe, chosen.recipe))
    return extract_phrases(recipe, chosen.output, tag=chosen.tag)


RUN: dict[str, Callable[[argparse.Namespace], str]] = {
    "new": _new,
    "train": _train,
    "prepare": _prepare,
    "fit": _fit,
    "export": _export,
    "evaluate": _evaluate,
    "mine": run_mine,
    "align": run_align,
    "distill": _distill,
    "backtranslate": _backtranslate,
    "phrases": _phrases,
}


if __name__ == "__main__":
    sys.exit(main())
