"""The arguments of the commands of `training`."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from model.config import Task
from model.engine import EngineName
from model.flags import count
from training.cleaning.languages import can_identify
from training.formats import MIN_SCORE
from training.subtitles.mine import MiningOptions
from training.synthesis import Keep

STRICT = "stop at the first unreadable record or file instead of skipping it"
#: Commands that write data to standard output.
PRINTING = ("mine", "align")
PRECISIONS: tuple[Literal["float32", "int8"], ...] = ("float32", "int8")

#: Subparsers to which commands are added.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def build_parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """Builds the parser of all commands. The name of the chosen one is `command`."""
    parser = argparse.ArgumentParser(prog=program, description=description)
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
    for name, add_options, description in (
        ("prepare", _add_prepare_options, "read, clean, split and tokenise the corpus"),
        ("fit", _add_fit_options, "train or resume training, and write the model folder"),
        (
            "evaluate",
            _add_evaluate_options,
            "score the model on the test split and complete its model card",
        ),
        (
            "export",
            _add_export_options,
            "add graphs for ONNX Runtime to the model, which are much faster on a CPU",
        ),
    ):
        command = commands.add_parser(name, help=description, description=description)
        command.add_argument("recipe", type=Path, help="recipe, for example recipes/scan.toml")
        add_options(command)


def _add_prepare_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--workers", type=count, help="number of processes; default: one per core")
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
        type=count,
        default=1,
        help="number of devices per process; more than %(default)s need JAX",
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
        help="store the weights with 8 significant bits, in less than half of the space",
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
        "--engine",
        choices=get_args(EngineName),
        default="auto",
        help="default: the fastest one available",
    )


def _add_new(commands: Commands) -> None:
    for name, description in (
        ("new", "inspect files and write a recipe that suits them"),
        ("train", "train a model on files in one go; the same command resumes"),
    ):
        command = commands.add_parser(name, help=description, description=description)
        command.add_argument(
            "paths", nargs="+", type=_path, metavar="PATH", help="files, folders, globs or archives"
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
    commands.choices["new"].add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="RECIPE",
        help="recipe to write; default: NAME.toml",
    )
    commands.choices["train"].add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="MODEL",
        help="model folder to write; its name is the model's",
    )


def _add_mine(commands: Commands) -> None:
    description = "print the exchanges in subtitle files, one JSON object per line"
    command = commands.add_parser("mine", help=description, description=description)
    command.add_argument(
        "paths",
        nargs="+",
        type=_path,
        metavar="PATH",
        help="files, folders, globs or archives; -: read a list of them from standard input",
    )
    command.add_argument(
        "--context-turns",
        type=count,
        default=MiningOptions.context_turns,
        help="maximum number of turns of a context; default: %(default)s",
    )
    command.add_argument(
        "--scene-pause",
        type=_seconds,
        default=MiningOptions.scene_pause,
        help="seconds of silence that end a scene; default: %(default)s",
    )
    command.add_argument(
        "--turn-pause",
        type=_seconds,
        default=MiningOptions.turn_pause,
        help="maximum seconds between cues of one turn; default: %(default)s",
    )
    command.add_argument(
        "--keep-language",
        type=_language,
        help="code of the language to keep where cues show two; default: both",
    )


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
        "--min-score",
        type=_share,
        default=MIN_SCORE,
        help="minimum score of a pair, 0 to 1; default: %(default)s",
    )


def _add_synthesis(commands: Commands) -> None:
    description = "write a student's targets: the answers of models to the sources of a recipe"
    command = commands.add_parser("distill", help=description, description=description)
    command.add_argument("recipe", type=Path, help="recipe whose corpus is prepared")
    command.add_argument("models", nargs="+", type=Path, metavar="MODEL", help="teacher models")
    command.add_argument(
        "--keep",
        choices=get_args(Keep),
        default="best",
        help="best (the default): the best answer of each model; oracle: of all beams, the answer "
        "closest to the reference",
    )
    description = "write sources for texts with a model of the opposite direction"
    command = commands.add_parser("backtranslate", help=description, description=description)
    command.add_argument("model", type=Path, help="model folder")
    command.add_argument(
        "texts",
        type=Path,
        metavar="FILE|RECIPE",
        help="texts in the target language, one per line; or a prepared recipe (.toml), for its "
        "training targets",
    )
    command.add_argument(
        "--sample", action="store_true", help="sample the sources, for more variety"
    )
    description = "write the words and short phrases of a bilingual corpus with their translations"
    command = commands.add_parser("phrases", help=description, description=description)
    command.add_argument("recipe", type=Path, help="recipe whose corpus is prepared")
    for name in ("distill", "backtranslate", "phrases"):
        commands.choices[name].add_argument(
            "--tag", default="", help="target tag before each source, such as <2de>; not written"
        )
        commands.choices[name].add_argument(
            "-o", "--output", type=Path, required=True, help="TSV file to write"
        )


def _path(text: str) -> str:
    if not text:  # of a variable that is not set; it would be the working directory
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _language(text: str) -> str:
    if not can_identify(text):
        raise argparse.ArgumentTypeError(f"must be a known language code. Received: {text}")
    return text


def _seconds(text: str) -> float:
    return _number(text, sys.float_info.max, "seconds, 0 or more")


def _share(text: str) -> float:
    return _number(text, 1.0, "0 to 1")


def _number(text: str, most: float, allowed: str) -> float:
    """Parses a number from 0 to `most`; `allowed` describes it."""
    with suppress(ValueError):
        if 0 <= float(text) <= most:
            return float(text)
    raise argparse.ArgumentTypeError(f"must be {allowed}. Received: {text}")
