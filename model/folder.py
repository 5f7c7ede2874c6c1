"""Reading, verification and writing of model folders. Knows no framework: weights are bytes.

my-model/
  config.json        a ModelConfig, with the sha256 of every other file
  model.weights.h5   Keras weights: numbers only, no code
  source.spm         the source tokenizer, [target.spm] the target tokenizer
  README.md          the model card
  *.onnx             [the network as graphs for ONNX Runtime]
  shortlist.npz      [shortlists of words that a source may need]
  questions.tsv      [known questions and their answers]
  memory.tsv.gz      [texts and their translations, which need no search]
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from model.errors import ConfigError, FolderError, TokenizerError, explain

if TYPE_CHECKING:
    from model.config import ModelConfig
    from model.known_questions import KnownQuestions
    from model.tokenizer import Tokenizer
    from model.translation_memory import TranslationMemory

_Loaded = TypeVar("_Loaded")

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.weights.h5"
SOURCE_TOKENIZER_FILE = "source.spm"
TARGET_TOKENIZER_FILE = "target.spm"
CARD_FILE = "README.md"
QUESTIONS_FILE = "questions.tsv"
MEMORY_FILE = "memory.tsv.gz"
#: Precision -> encoder and step, as written by `python -m training export`.
GRAPH_FILES = {
    "float32": ("encoder.onnx", "step.onnx"),
    "int8": ("encoder.int8.onnx", "step.int8.onnx"),
}
#: The arrays that choose candidates, and the int8 steps over them, for few rows and for many.
SHORTLIST_FILES = ("shortlist.npz", "shortlist.int8.onnx", "gathered.int8.onnx")
#: The format of the graphs. Engines reject other formats.
GRAPH_FORMAT = 2

#: The default model, which comes with the program.
DEFAULT_MODEL = Path("models/default")
#: Pretrained conversational English, from which small models of films or chats start. Not served.
ENGLISH_BASE = Path("recipes/english")
#: Translation models, by source and target language. They are in a checkout only: neither the
#: package nor the images include them.
TRANSLATORS: dict[tuple[str, ...], Path] = {
    ("en", "de"): Path("models/en-de"),
    ("de", "en"): Path("models/de-en"),
}
#: Folders that are found from any working directory.
BUNDLED = frozenset({DEFAULT_MODEL, ENGLISH_BASE, *TRANSLATORS.values()})


@dataclass(frozen=True)
class ModelFolder:
    """A folder; `load_folder` returns a verified one.

    Attributes:
        path: path of the folder.
        document: its configuration as plain values: a worker loads no pydantic, which takes
            10 MiB.
    """

    path: Path
    document: Mapping[str, Any]

    @property
    def sha256(self) -> Mapping[str, str]:
        """Returns the SHA-256 hash of each file but the configuration, by name."""
        hashes: Mapping[str, str] = self.document.get("sha256", {})
        return hashes

    @cached_property
    def config(self) -> ModelConfig:
        """Returns its configuration.

        Raises:
            FolderError: if a value is not allowed.
        """
        from model.config import ModelConfig

        try:
            return ModelConfig.parse(self.document, where=str(self.path / CONFIG_FILE))
        except ConfigError as error:
            raise FolderError(str(error)) from None

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Loads its tokenizer.

        Raises:
            FolderError: if it is broken, or its vocabularies do not match the network.
        """
        from model.tokenizer import Tokenizer  # only here: a worker knows no text

        source = (self.path / SOURCE_TOKENIZER_FILE).read_bytes()
        has_target = TARGET_TOKENIZER_FILE in self.sha256
        target = (self.path / TARGET_TOKENIZER_FILE).read_bytes() if has_target else None
        try:
            tokenizer = Tokenizer(self.config.text, source, target)
        except TokenizerError as error:
            raise FolderError(f"{self.path}: {error}") from None
        network = self.config.network
        sizes = (tokenizer.source_vocab_size, tokenizer.target_vocab_size)
        expected = (network.source_vocab_size, network.target_vocab_size)
        if sizes != expected:
            raise FolderError(
                f"{self.path}: the tokenizers have {sizes} pieces, the network was built for "
                f"{expected}. Export the folder again."
            )
        return tokenizer


def find_folder(path: str | Path) -> Path:
    """Returns `path`; for one of `BUNDLED` that is not in the working directory, the path where it
    is installed or its path in this checkout."""
    path = Path(path)
    if path not in BUNDLED:
        return path
    package = Path(__file__).parent
    places = (path, package / path.name, package.parent / path)
    return next((place for place in places if place.is_dir()), path)


def load_folder(path: str | Path) -> ModelFolder:
    """Reads a folder, as `find_folder` finds it, and checks every file against `config.json`.

    Raises:
        FolderError: if it is missing, partial, altered or of a newer format; the message names
            every fault.
    """
    folder = _read_folder(find_folder(path))
    needed = [WEIGHTS_FILE, SOURCE_TOKENIZER_FILE]
    needed += [QUESTIONS_FILE] if folder.config.search.fallback_reply else []
    verify_files(folder, needed)
    return folder


def verify_files(folder: ModelFolder, needed: Sequence[str] = ()) -> None:
    """Checks every file of a folder against its configuration, which must name those of `needed`.

    Raises:
        FolderError: one line for each fault.
    """
    hashes = folder.sha256
    faults = [fault for name in sorted(hashes) if (fault := _check_file(folder, name))]
    faults += [f"{CONFIG_FILE}: has no sha256 of {name}" for name in needed if name not in hashes]
    if faults:
        raise FolderError("\n".join(f"{folder.path}/{fault}" for fault in faults))


def read_config(path: Path) -> ModelConfig:
    """Reads the configuration of a model folder, without its other files.

    Raises:
        FolderError: if it is absent, broken or from a newer format.
    """
    return _read_folder(path).config


def _read_folder(path: Path) -> ModelFolder:
    """Reads the configuration of a folder, without checking its values."""
    from model.config import FORMAT_VERSION

    file = path / CONFIG_FILE
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if not path.is_dir():
            reason = "no such model folder. Train one, or set its path."
        else:
            reason = f"not a model folder: it has no {CONFIG_FILE}."
            if (path / "model" / CONFIG_FILE).is_file():  # `path` is the output of a recipe
                reason += f" Did you mean {path / 'model'}?"
        raise FolderError(f"{path}: {reason}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise FolderError(f"{file}: cannot be read as JSON ({error}). Copy it again.") from None
    version = values.get("format_version") if isinstance(values, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise FolderError(
            f"{file}: has format {version}, this release reads up to {FORMAT_VERSION}. Upgrade."
        )
    return ModelFolder(path, values)


def load_questions(folder: ModelFolder) -> KnownQuestions | None:
    """Loads the known questions of the model, if any.

    Raises:
        FolderError: if the file cannot be read.
    """
    from model.known_questions import KnownQuestions

    return _load(folder, QUESTIONS_FILE, KnownQuestions.parse)


def load_memory(folder: ModelFolder) -> TranslationMemory | None:
    """Loads the translation memory of the model, if any.

    Raises:
        FolderError: if the file cannot be read.
    """
    from model.translation_memory import TranslationMemory

    return _load(folder, MEMORY_FILE, TranslationMemory.parse)


def _load(folder: ModelFolder, name: str, parse: Callable[[bytes], _Loaded]) -> _Loaded | None:
    if name not in folder.sha256:
        return None
    file = folder.path / name
    try:
        return parse(file.read_bytes())
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise FolderError(f"{file}: cannot be read ({error}). Copy the folder again.") from None


def write_folder(path: str | Path, config: ModelConfig, files: dict[str, bytes]) -> None:
    """Writes a folder next to `path` and moves it there once it is complete. Of several processes
    that write one folder, the last one wins.

    Args:
        path: path of the folder; an existing model folder is replaced.
        config: its configuration; the checksums are filled in here.
        files: name -> contents of every other file.

    Raises:
        FolderError: if `path` is something else, or cannot be written.
    """
    path = Path(path)
    check_replaceable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _only_writer_in(path.parent):
            _write(path, config, files)
    except OSError as error:
        raise FolderError(f"{path}: cannot be written: {explain(error)}") from error


def replace_file(
    path: str | Path, name: str, content_of: Callable[[ModelFolder], bytes | None]
) -> None:
    """Replaces or adds a file of a model folder, while no other process writes models beside it.
    Files that the configuration does not name stay.

    Args:
        path: path of the folder.
        name: name of the file.
        content_of: makes its content from the folder; None leaves all as it is.

    Raises:
        FolderError: if the folder is broken, or cannot be written.
    """
    path = find_folder(path).resolve()
    try:
        with _only_writer_in(path.parent) if path.is_dir() else nullcontext():
            folder = load_folder(path)
            content = content_of(folder)
            if content is not None:
                files = {each: (path / each).read_bytes() for each in folder.sha256}
                others = [each for each in path.iterdir() if each.name not in {*files, CONFIG_FILE}]
                _write(path, folder.config, {**files, name: content}, others)
    except OSError as error:
        raise FolderError(f"{path}: cannot be written: {explain(error)}") from error


def _write(
    path: Path, config: ModelConfig, files: Mapping[str, bytes], others: Sequence[Path] = ()
) -> None:
    """Writes a folder with these files, and with copies of `others`, in place of the one there."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    document = config.model_copy(update={"sha256": sums}).model_dump_json(indent=2) + "\n"
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.partial-", dir=path.parent))
    try:
        for each in others:
            if each.is_dir() and not each.is_symlink():
                shutil.copytree(each, partial / each.name, symlinks=True)
            else:
                shutil.copy2(each, partial / each.name, follow_symlinks=False)
        for name, content in {**files, CONFIG_FILE: document.encode()}.items():
            write_durably(partial / name, content)
        partial.chmod(0o755)
        _replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _only_writer_in(parent: Path) -> Iterator[None]:
    """Waits until no other process of this machine writes a model folder in `parent`, and makes
    others wait: each deletes what killed ones left. On file systems without locks, none waits."""
    import fcntl  # not on Windows, where this module only reads

    handle = os.open(parent, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_durably(path: Path, content: bytes) -> None:
    """Writes a file atomically and durably: after a power failure it has the old or new
    contents.

    Raises:
        OSError: if it cannot be written; it names the file.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        error.filename = error.filename or str(partial)  # that of a full disk names no file
        with suppress(OSError):
            partial.unlink()  # it takes the last space
        raise


def check_replaceable(path: Path) -> None:
    """Checks that `path` is a model folder, an empty folder or absent.

    Raises:
        FolderError: if it is anything else, which a model must not replace.
    """
    is_replaceable = not path.exists() or (
        path.is_dir() and (_is_model(path) or not any(path.iterdir()))
    )
    if not is_replaceable:
        raise FolderError(
            f"{path}: not a model folder, so it is not overwritten. Choose another `output`."
        )


def _is_model(path: Path) -> bool:
    """Tells whether a folder is a model of any release, even a broken one: other programs also have
    a `config.json`."""
    try:
        values = json.loads((path / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and {"format_version", "sha256"} <= values.keys()


def _check_file(folder: ModelFolder, name: str) -> str | None:
    if Path(name).name != name:
        return f"{CONFIG_FILE}: names a file outside the folder: {name!r}"
    try:
        with (folder.path / name).open("rb") as stream:  # in parts: whole files fragment the memory
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return f"{name}: missing. Copy the folder again or export it again."
    except OSError as error:
        return f"{name}: cannot be read ({error.strerror})."
    expected = folder.sha256[name]
    if found == expected:
        return None
    return (
        f"{name}: contents differ from {CONFIG_FILE} (sha256 {expected[:8]}.. expected, "
        f"{found[:8]}.. found). Copy the folder again or export it again."
    )


def _replace(partial: Path, path: Path) -> None:
    """Moves a complete folder into place, then deletes the old one, and what killed processes
    left."""
    if path.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old-", dir=path.parent))
        path.rename(old / path.name)
    partial.rename(path)
    left = re.compile(rf"\.{re.escape(path.name)}\.(partial|old)-\w+")  # `mkdtemp` adds no `.`
    for each in path.parent.iterdir():
        if left.fullmatch(each.name):
            shutil.rmtree(each, ignore_errors=True)
