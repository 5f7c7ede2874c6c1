"""The served models, by name.

Loads the model folders, watches them, and replaces an old model by a new one without dropping a
request. Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path
from typing import Any, Literal

from app.decoding.process import kill_starting
from app.decoding.served_model import ServedModel, deadline
from app.errors import Unavailable, UnknownModel
from app.settings import Settings
from model.config import ModelConfig
from model.errors import FolderError, Seq2SeqError
from model.folder import CONFIG_FILE, find_folder, load_folder, read_config

logger = logging.getLogger(__name__)

#: Interval between checks for open requests of a model that leaves service, and the time for which
#: one that is unloaded to free memory must have none.
DRAIN_CHECK_SECONDS = 0.5
UNLOAD_SECONDS = 2.0

ModelState = Literal["ready", "restarting", "unloaded", "loading"]

#: Names, modification times, sizes and inodes of the files in a folder. Any change alters it.
Fingerprint = tuple[tuple[str, int, int, int], ...]


@dataclass(eq=False)
class _Entry:
    """A model folder in service.

    Attributes:
        path: the folder.
        config: the configuration of its model.
        served: the model; None if it is unloaded.
        last_used: time of the last request, by the monotonic clock.
        is_new: whether this folder has not been loaded since the server started.
        loading: task that loads the model for all requests waiting for it.
    """

    path: Path
    config: ModelConfig
    served: ServedModel | None
    last_used: float = 0.0
    is_new: bool = False
    loading: asyncio.Task[bool] | None = None


class ModelRegistry:
    """The default model and the models in the folder `settings.models`. Belongs to one event loop.

    When a folder changes, its new model is loaded next to the one in service and replaces it once
    it is warm; the old one finishes its requests. A folder that cannot be loaded changes nothing.

    Args:
        load: loads the model that the settings name; may block.
        preloaded: the default model, if it is already loaded.

    Attributes:
        created: time of creation, in seconds since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        load: Callable[[Settings], ServedModel],
        preloaded: ServedModel | None = None,
    ) -> None:
        self._settings = settings
        self._load_model = load
        self._preloaded = preloaded
        self.created = int(time.time())
        self._default = find_folder(settings.model)
        self._entries: dict[str, _Entry] = {}
        self._default_entry: _Entry | None = None
        self._active: set[ServedModel] = set()  # in service, or finishing requests
        self._last_seen: dict[Path, Fingerprint] = {}
        self._retiring: set[asyncio.Task[Any]] = set()  # closes models that have left service
        self._lock = asyncio.Lock()  # one folder is loaded at a time
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_complete = False

    async def open(self) -> None:
        """Loads the default model, lists the others and starts loading them.

        Raises:
            FolderError: if the folder of the default model is absent or broken, or
                `settings.models` is not a folder of models.
            EngineError: if the engine cannot run here.
        """
        models = self._settings.models
        if models is not None and not model_folders(models):
            logger.warning("%s: SEQ2SEQ_MODELS has no model folders in it yet", models)
        if fingerprint := _fingerprint(self._default):
            self._last_seen[self._default] = fingerprint
        preloaded = self._preloaded or await self._load_in_thread(self._default)
        await self._activate(self._default, preloaded)
        found = await asyncio.to_thread(self._scan)
        await asyncio.to_thread(self._list_new, found)
        self._spawn(self._watch(found))

    @property
    def is_complete(self) -> bool:
        """Tells whether every folder has been loaded or rejected since the start."""
        return self._is_complete

    @property
    def default(self) -> ServedModel:
        """Returns the model for requests that name none.

        Raises:
            Unavailable: if it is not loaded yet.
        """
        entry = self._default_entry
        if entry is None or entry.served is None:
            raise Unavailable("the model is not loaded yet; try again later")
        return entry.served

    def configs(self) -> list[ModelConfig]:
        """Returns the configurations of all models that requests may name: the default one, then
        those of the other folders by name, whenever they were loaded."""
        entries = sorted(
            self._entries.values(),
            key=lambda each: (each is not self._default_entry, each.path),
        )
        return [each.config for each in entries]

    def states(self) -> dict[str, ModelState]:
        """Returns the state of each model by name."""
        return {config.name: self._state(self._entries[config.name]) for config in self.configs()}

    def loaded(self) -> Iterator[ServedModel]:
        """Yields the loaded models."""
        return (each.served for each in self._entries.values() if each.served is not None)

    async def get(self, name: str | None = None) -> ServedModel:
        """Returns the model with a name; None: the default one. Loads it first if it is unloaded.
        A request keeps its model until it is answered, whatever happens here.

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
            raise Unavailable(f"model: {name!r} is still being loaded; try again in a few seconds")
        entry.last_used = time.monotonic()
        return entry.served or await self._load_on_demand(entry)

    def kill(self) -> None:
        """Kills all workers, if the program ends without `close`."""
        for model in self._active:
            model.kill()

    def expect_close(self) -> None:
        """Prevents a hanging worker from keeping the server from stopping."""
        for model in self._active:
            model.expect_close()

    async def close(self) -> None:
        """Closes all models. Open requests fail with `Unavailable`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(model.close() for model in self._active))
        kill_starting()

    def _state(self, entry: _Entry) -> ModelState:
        if entry.served is None:
            return "loading" if entry.is_new else "unloaded"
        return "ready" if entry.served.is_alive else "restarting"

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _watch(self, before: dict[Path, Fingerprint]) -> None:
        """Loads folders that are new or have changed, once they are complete, which means unchanged
        between two scans. Removes the models of deleted folders."""
        for path, fingerprint in before.items():
            await self._load_if_changed(path, fingerprint)
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
                    await self._load_if_changed(path, fingerprint)
            for path in set(self._last_seen) - set(found) - set(before):
                self._remove(path)
            before = found

    def _scan(self) -> dict[Path, Fingerprint]:
        """Returns the fingerprint of every folder that contains a model; blocks."""
        folders = [self._default]
        if self._settings.models is not None:
            default = self._default.resolve()
            folders += [
                path for path in model_folders(self._settings.models) if path.resolve() != default
            ]
        found = ((path, _fingerprint(path)) for path in folders)
        return {path: fingerprint for path, fingerprint in found if fingerprint is not None}

    def _list_new(self, found: Iterable[Path]) -> None:
        """Lists the models that are about to be loaded, so that the lists of models and languages
        are complete from the start; blocks."""
        for path in found:
            with suppress(FolderError):  # `_load_if_changed` logs it
                config = read_config(path)
                if self._entry_of(path) is None and config.name not in self._entries:
                    self._entries[config.name] = _Entry(path, config, None, is_new=True)

    async def _load_if_changed(self, path: Path, fingerprint: Fingerprint) -> None:
        """Loads a folder, unless it is unchanged since the last attempt."""
        if self._last_seen.get(path) == fingerprint:
            return
        self._last_seen[path] = fingerprint
        entry = self._entry_of(path)
        try:
            if (entry is None or entry.served is None) and self._is_memory_full(self.loaded()):
                await self._list_unloaded(path)
            else:
                await self._load_and_activate(path)
        except Exception:  # the other folders are still watched
            logger.exception("%s: cannot be loaded", path)
        entry = self._entry_of(path)
        if entry is not None and entry.is_new:  # it cannot be loaded
            del self._entries[entry.config.name]

    async def _list_unloaded(self, path: Path) -> None:
        """Lists a model without loading it."""
        try:
            folder = await asyncio.to_thread(load_folder, path)
            self._check_name_is_free(folder.config.name, path)
        except Seq2SeqError as error:
            logger.error("%s", error)
            return
        self._insert(_Entry(path, folder.config, None))
        logger.info("model %s: will be loaded by its first request", folder.config.name)

    async def _load_and_activate(self, path: Path) -> bool:
        """Loads a folder and puts it into service. If that fails, logs why and returns False."""
        async with self._lock:
            if self._retiring and self._is_memory_full(self._active):
                await asyncio.wait(self._retiring, timeout=2 * UNLOAD_SECONDS)
            try:
                loaded = await self._load_in_thread(path)
                try:
                    self._check_name_is_free(loaded.config.name, path)
                except FolderError:
                    await loaded.close()
                    raise
            except (Seq2SeqError, OSError) as error:
                entry = self._entry_of(path)
                logger.error("%s", error)
                if entry is not None and entry.served is not None:
                    logger.error("model %s stays in service", entry.config.name)
                return False
            await self._activate(path, loaded)
            return True

    async def _load_in_thread(self, path: Path) -> ServedModel:
        """Loads a folder in a thread."""
        settings = self._settings
        if path != self._default:
            settings = settings.model_copy(update={"model": path, "rerank_model": None})
        return await asyncio.to_thread(self._load_model, settings)

    async def _activate(self, path: Path, loaded: ServedModel) -> None:
        """Puts a loaded model into service; the one that it replaces only finishes its requests."""
        await loaded.open()
        self._active.add(loaded)
        entry = _Entry(path, loaded.config, loaded, time.monotonic())
        old = self._insert(entry)
        if path == self._default:
            self._default_entry = entry
        logger.info("model %s: in service, from %s", loaded.config.name, path)
        if old is not None and old.served is not None:
            self._retire(old.served, self._settings.request_timeout_seconds)
        self._unload_least_recently_used(entry)

    def _insert(self, entry: _Entry) -> _Entry | None:
        """Adds an entry. Returns the entry of the same folder that it replaces, if any."""
        old = self._entry_of(entry.path)
        if old is not None:
            del self._entries[old.config.name]
        self._entries[entry.config.name] = entry
        return old

    def _check_name_is_free(self, name: str, path: Path) -> None:
        """Raises an error if the model of another folder has this name."""
        other = self._entries.get(name)
        if other is not None and other.path != path:
            raise FolderError(
                f"{path}: has the same name as {other.path}: {name!r}. Change `name` in the "
                "config.json of one of them."
            )

    def _entry_of(self, path: Path) -> _Entry | None:
        return next((each for each in self._entries.values() if each.path == path), None)

    def _remove(self, path: Path) -> None:
        """Removes the model of a deleted folder from service, unless it is the default one."""
        entry = self._entry_of(path)
        if path == self._default:
            return
        del self._last_seen[path]
        if entry is not None:
            logger.info("model %s: its folder was deleted", entry.config.name)
            del self._entries[entry.config.name]
            if entry.served is not None:
                self._retire(entry.served, self._settings.request_timeout_seconds)

    async def _load_on_demand(self, entry: _Entry) -> ServedModel:
        """Loads an unloaded model for a request."""
        if entry.loading is None or entry.loading.done():
            entry.loading = self._spawn(self._load_and_activate(entry.path))
        async with deadline(self._settings.request_timeout_seconds):
            await asyncio.shield(entry.loading)
        found = self._entries.get(entry.config.name)
        if found is None or found.served is None:
            raise Unavailable("the model cannot be loaded; the log says why")
        return found.served

    def _is_memory_full(self, models: Iterable[ServedModel]) -> bool:
        used = sum(model.memory_bytes for model in models)
        return used >= self._settings.max_model_memory_mib * 2**20

    def _unload_least_recently_used(self, newest: _Entry) -> None:
        """Unloads the least recently used models while there is too little memory, except the
        default one and the newest."""
        kept = (newest, self._default_entry)
        others = [e for e in self._entries.values() if e.served is not None and e not in kept]
        for entry in sorted(others, key=lambda each: each.last_used):
            if not self._is_memory_full(self.loaded()):
                return
            logger.info("model %s: unloaded to free memory", entry.config.name)
            served, entry.served = entry.served, None
            if served is not None:
                self._retire(served, UNLOAD_SECONDS)

    def _retire(self, served: ServedModel, idle_seconds: float) -> None:
        """Closes a model once it has had no open request for `idle_seconds`: a caller that has got
        it may not have submitted its request yet, or be about to submit the next one."""
        task = self._spawn(self._drain(served, idle_seconds))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _drain(self, served: ServedModel, idle_seconds: float) -> None:
        try:
            idle = 0.0
            while idle < idle_seconds:
                await asyncio.sleep(DRAIN_CHECK_SECONDS)
                idle = idle + DRAIN_CHECK_SECONDS if served.is_idle else 0.0
        finally:
            await served.close()
            self._active.discard(served)


def model_folders(parent: Path) -> list[Path]:
    """Returns the folders in `parent` that contain a model, sorted by name.

    Raises:
        FolderError: if `parent` is not a readable folder, or is itself a model.
    """
    try:
        found = sorted(parent.iterdir())
    except OSError as error:
        raise FolderError(
            f"{parent}: not a readable folder of models ({error.strerror})."
        ) from None
    # `Path.is_file` raises an error in an unreadable folder, such as the lost+found of a volume.
    folders = [p for p in found if not p.name.startswith(".") and isfile(p / CONFIG_FILE)]
    if not folders and isfile(parent / CONFIG_FILE):
        raise FolderError(
            f"{parent}: is a model, not a folder of models. Set SEQ2SEQ_MODEL to it, or "
            "SEQ2SEQ_MODELS to the folder that contains it."
        )
    return folders


def _fingerprint(path: Path) -> Fingerprint | None:
    """Describes the files of a folder; None if there are none or it is just changing."""
    with suppress(OSError):
        stats = [(file.name, file.stat()) for file in path.iterdir()]
        return tuple(sorted((n, s.st_mtime_ns, s.st_size, s.st_ino) for n, s in stats)) or None
    return None
