"""Registration of the networks with Keras as soon as it is loaded, so that
`keras.saving.load_model` finds them after `import model`, which does not load Keras."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

NETWORKS = ("model.networks.tokens", "model.networks.vectors")


def register_networks() -> None:
    """Registers the networks now if Keras is loaded, else as soon as it is imported."""
    if "keras" in sys.modules:
        _import_networks()
    else:
        sys.meta_path.insert(0, _KerasImport())


def _import_networks() -> None:
    for name in NETWORKS:  # each registers its classes
        importlib.import_module(name)


class _KerasImport(MetaPathFinder):
    """A finder that delegates to the other finders and registers the networks once Keras is
    loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "keras":
            return None
        specs = (each.find_spec(fullname, path) for each in sys.meta_path if each is not self)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                _import_networks()

            setattr(spec.loader, "exec_module", exec_module)  # noqa: B010, of this one loader
        return spec
