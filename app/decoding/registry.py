"""The models that are served, by name.

Loads the model folders, watches them, and puts a new model into the place of an old one without
dropping a request. Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app.decoding.served_model import LoadedModel, ServedModel, serve_model
from app.errors import DeadlineExceeded, Unavailable, UnknownModel
from app.settings import Settings
from model.config import ModelConfig
from model.errors import FolderError, Seq2SeqError
from model.folder import CONFIG_FILE, find_folder, load_folder, read_config

logger = logging.getLogger(__name__)

#: How often a model that was replaced is looked at for open requests.
DRAIN_CHECK_SECONDS = 0.5

ModelState = Literal["ready", "restarting", "unloaded", "loading"]

#: Names, times, sizes and inodes of a folder's files. Differs after any change.
Fingerprint = tuple[tuple[str, int, int, int], ...]


@dataclass(eq=False)
class _Entry:
    """A model folder in service.

    Attributes:
        path: of the folder.
        config: its document.
        served: the model, unless it is unloaded.
        last_used: time of the last request, by the monotonic clock.
        is_new: the server has not come to this folder yet since its start.
        loading: loads the model, for all requests that wait for it.
    """

    path: Path
    config: ModelConfig
    served: ServedModel | None
    last_used: float = 0.0
    is_new: bool = False
    loading: asyncio.Task[bool] | None = None


class ModelRegistry:
    """The default model, and those of the folder `settings.models`. Belongs to one event loop.

    A folder that changes is loaded beside the model in service and takes its place once it is warm;
    the old one answers the requests that it has. A folder that cannot be loaded changes nothing.

    Args:
        settings: the folders, among others.
        load: loads the model that settings name; may block.
        first: the default model, if it is loaded already.

    Attributes:
        created: when this was made, in seconds since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        load: Callable[[Settings], LoadedModel],
        first: LoadedModel | None = None,
    ) -> None:
        self._settings = settings
        self._load_model = load
        self._first = first
        self.created = int(time.time())
        self._default = find_folder(settings.model)
        self._entries: dict[str, _Entry] = {}
        self._default_entry: _Entry | None = None
        self._open: set[ServedModel] = set()  # in service, or still answering
        self._tried: dict[Path, Fingerprint] = {}
        self._lock = asyncio.Lock()  # one folder is loaded at a time
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_complete = False

    async def open(self) -> None:
        """Loads the default model, lists the others, and begins to load them.

        Raises:
            FolderError: if the default model's folder is absent or broken, or `settings.models` is
                no folder.
            EngineError: if the engine cannot run here.
        """
        if self._settings.models is not None:
            model_folders(self._settings.models)
        if fingerprint := _fingerprint(self._default):
            self._tried[self._default] = fingerprint
        first = self._first or await self._loaded(self._default)
        await self._put_into_service(self._default, first)
        found = await asyncio.to_thread(self._scan)
        await asyncio.to_thread(self._announce, found)
        self._begin(self._watch(found))

    @property
    def is_complete(self) -> bool:
        """Tells whether every folder was loaded, or refused, since the start."""
        return self._is_complete

    @property
    def default(self) -> ServedModel:
        """Returns the model of requests that name none.

        Raises:
            Unavailable: if it is not loaded yet.
        """
        entry = self._default_entry
        if entry is None or entry.served is None:
            raise Unavailable("the model is not loaded yet; try again later")
        return entry.served

    def configs(self) -> list[ModelConfig]:
        """Returns the documents of all models that a request may name, the default one first."""
        first = self._default_entry
        return [
            each.config for each in sorted(self._entries.values(), key=lambda e: e is not first)
        ]

    def states(self) -> dict[str, ModelState]:
        """Returns the state of each model, by its name."""
        return {config.name: self._state(self._entries[config.name]) for config in self.configs()}

    def loaded(self) -> Iterator[ServedModel]:
        """Yields the models in service that have a process."""
        return (each.served for each in self._entries.values() if each.served is not None)

    async def get(self, name: str | None = None) -> ServedModel:
        """Returns the model of a name, None for the default one. Loads it first where it is
        unloaded. A request keeps its model until it is answered, whatever happens here.

        Raises:
            UnknownModel: if there is none.
            Unavailable: if it is loaded for the first time, or cannot be loaded.
            DeadlineExceeded: if it is not loaded within the time of a request.
        """
        entry = self._default_entry if name is None else self._entries.get(name)
        if entry is None:
            if name is None:
                return self.default  # raises
            raise UnknownModel(name)
        if entry.is_new:
            raise Unavailable(f"model: {name!r} is still being loaded; try again in some seconds")
        entry.last_used = time.monotonic()
        return entry.served or await self._reloaded(entry)

    async def translator(self, source: str, target: str) -> ServedModel:
        """Returns the model that translates from one language into another, by their codes.

        Raises:
            UnknownModel: if there is none. The rest is as in `get`.
        """
        for config in self.configs():
            if config.task == "translate" and config.languages == (source, target):
                return await self.get(config.name)
        raise UnknownModel(f"{source}-{target}")

    def kill(self) -> None:
        """Kills all workers: before the program ends without a `close`."""
        for model in self._open:
            model.kill()

    def expect_close(self) -> None:
        """Lets no worker that hangs keep the server from stopping."""
        for model in self._open:
            model.expect_close()

    async def close(self) -> None:
        """Closes all models. Open requests fail with `Unavailable`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(model.close() for model in self._open))

    def _state(self, entry: _Entry) -> ModelState:
        if entry.served is None:
            return "loading" if entry.is_new else "unloaded"
        return "ready" if entry.served.is_alive else "restarting"

    def _begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _watch(self, before: dict[Path, Fingerprint]) -> None:
        """Loads folders that are new, or have changed and are complete: they stay as they are from
        one look to the next. Forgets those that are gone."""
        for path, fingerprint in before.items():
            await self._try(path, fingerprint)
        self._is_complete = True
        while pause := self._settings.reload_seconds:
            await asyncio.sleep(pause)
            try:
                found = await asyncio.to_thread(self._scan)
            except FolderError as error:
                logger.error("%s", error)
                continue
            for path, fingerprint in found.items():
                if before.get(path) == fingerprint:
                    await self._try(path, fingerprint)
            for path in set(self._tried) - set(found) - set(before):
                self._forget(path)
            before = found

    def _scan(self) -> dict[Path, Fingerprint]:
        """Returns the fingerprint of every folder that has a model; blocks."""
        folders = [self._default]
        if self._settings.models is not None:
            default = self._default.resolve()
            folders += [
                path for path in model_folders(self._settings.models) if path.resolve() != default
            ]
        found = ((path, _fingerprint(path)) for path in folders)
        return {path: fingerprint for path, fingerprint in found if fingerprint is not None}

    def _announce(self, found: Iterable[Path]) -> None:
        """Lists the models that are about to be loaded, so that no list of models and languages is
        partial before they are; blocks."""
        for path in found:
            with suppress(FolderError):  # `_try` logs it
                config = read_config(path)
                if self._entry_of(path) is None and config.name not in self._entries:
                    self._entries[config.name] = _Entry(path, config, None, is_new=True)

    async def _try(self, path: Path, fingerprint: Fingerprint) -> None:
        """Loads a folder, unless it was tried as it is."""
        if self._tried.get(path) == fingerprint:
            return
        self._tried[path] = fingerprint
        entry = self._entry_of(path)
        if (entry is None or entry.served is None) and self._is_full():
            await self._register(path)
        else:
            await self._load(path)
        entry = self._entry_of(path)
        if entry is not None and entry.is_new:  # it cannot be loaded
            del self._entries[entry.config.name]

    async def _register(self, path: Path) -> None:
        """Lists a model without loading it."""
        try:
            folder = await asyncio.to_thread(load_folder, path)
            self._require_free(folder.config.name, path)
        except Seq2SeqError as error:
            logger.error("%s", error)
            return
        self._insert(_Entry(path, folder.config, None))
        logger.info("model %s: waits for its first request", folder.config.name)

    async def _load(self, path: Path) -> bool:
        """Loads a folder and puts it into service. Returns False where that fails, and logs why."""
        async with self._lock:
            try:
                loaded = await self._loaded(path)
                try:
                    self._require_free(loaded.config.name, path)
                except FolderError:
                    await asyncio.to_thread(loaded.stop)
                    raise
            except (Seq2SeqError, OSError) as error:
                entry = self._entry_of(path)
                logger.error("%s", error)
                if entry is not None and not entry.is_new:
                    logger.error("model %s stays as it is", entry.config.name)
                return False
            await self._put_into_service(path, loaded)
            return True

    async def _loaded(self, path: Path) -> LoadedModel:
        """Loads a folder in a thread."""
        settings = self._settings
        if path != self._default:
            settings = settings.model_copy(update={"model": path, "rerank_model": None})
        return await asyncio.to_thread(self._load_model, settings)

    async def _put_into_service(self, path: Path, loaded: LoadedModel) -> None:
        """Lets a loaded model answer from now on, and the one before only what it has."""
        served = await serve_model(loaded, self._settings)
        self._open.add(served)
        entry = _Entry(path, loaded.config, served, time.monotonic())
        old = self._insert(entry)
        if path == self._default:
            self._default_entry = entry
        logger.info("model %s: in service, from %s", loaded.config.name, path)
        if old is not None and old.served is not None:
            self._retire(old.served)
        self._make_room(entry)

    def _insert(self, entry: _Entry) -> _Entry | None:
        """Adds an entry. Returns the one of the same folder, whose place it takes."""
        old = self._entry_of(entry.path)
        if old is not None:
            del self._entries[old.config.name]
        self._entries[entry.config.name] = entry
        return old

    def _require_free(self, name: str, path: Path) -> None:
        """Raises an error where another folder's model has this name."""
        other = self._entries.get(name)
        if other is not None and other.path != path:
            raise FolderError(f"{path}: is named {name!r}, as {other.path} is. Rename one of them.")

    def _entry_of(self, path: Path) -> _Entry | None:
        return next((each for each in self._entries.values() if each.path == path), None)

    def _forget(self, path: Path) -> None:
        """Takes the model of a folder that is gone out of service. The default one stays."""
        entry = self._entry_of(path)
        if path == self._default:
            return
        del self._tried[path]
        if entry is not None:
            logger.info("model %s: its folder is gone", entry.config.name)
            del self._entries[entry.config.name]
            if entry.served is not None:
                self._retire(entry.served)

    async def _reloaded(self, entry: _Entry) -> ServedModel:
        """Loads an unloaded model for a request."""
        if entry.loading is None:
            entry.loading = self._begin(self._load(entry.path))
        seconds = self._settings.request_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(entry.loading)
        except TimeoutError:
            raise DeadlineExceeded.after(seconds) from None
        found = self._entries.get(entry.config.name)
        if found is None or found.served is None:
            entry.loading = None
            raise Unavailable("the model cannot be loaded; the log says why")
        return found.served

    def _is_full(self) -> bool:
        used = sum(model.memory_bytes for model in self.loaded())
        return used >= self._settings.max_model_memory_mib * 2**20

    def _make_room(self, newest: _Entry) -> None:
        """Unloads the models that were used least recently while there is too little memory. The
        default one and the newest stay."""
        stay = (newest, self._default_entry)
        others = [e for e in self._entries.values() if e.served is not None and e not in stay]
        for entry in sorted(others, key=lambda each: each.last_used):
            if not self._is_full():
                return
            logger.info("model %s: unloaded, to make room", entry.config.name)
            served, entry.served = entry.served, None
            if served is not None:
                self._retire(served)

    def _retire(self, served: ServedModel) -> None:
        """Closes a model once it has answered the requests that it has."""
        self._begin(self._drain(served))

    async def _drain(self, served: ServedModel) -> None:
        try:
            # A request that has its model but has not submitted to it yet is not seen there.
            await asyncio.sleep(self._settings.request_timeout_seconds)
            while not served.is_idle:
                await asyncio.sleep(DRAIN_CHECK_SECONDS)
        finally:
            await served.close()
            self._open.discard(served)


def model_folders(parent: Path) -> list[Path]:
    """Returns the folders in `parent` that have a model, in the order of their names.

    Raises:
        FolderError: if `parent` is no folder that can be read.
    """
    try:
        found = sorted(parent.iterdir())
    except OSError as error:
        raise FolderError(f"{parent}: is no folder of models ({error.strerror}).") from None
    return [p for p in found if not p.name.startswith(".") and (p / CONFIG_FILE).is_file()]


def _fingerprint(path: Path) -> Fingerprint | None:
    """Describes the files of a folder; None if there are none, or it changes at this moment."""
    with suppress(OSError):
        stats = [(file.name, file.stat()) for file in path.iterdir()]
        return tuple(sorted((n, s.st_mtime_ns, s.st_size, s.st_ino) for n, s in stats)) or None
    return None
