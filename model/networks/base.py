"""Base of the networks as Keras models: what their files store besides sizes and weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras


class Network(keras.Model):
    """A Keras model whose layers are created in `__init__` and in `build`.

    Saving, loading and cloning preserve which layers are frozen (`trainable = False`) and which
    are quantized. A subclass calls `apply_layer_settings` at the end of `build`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frozen: list[str] = []
        self.quantized: dict[str, Any] = {}

    def apply_layer_settings(self) -> None:
        """Freezes and quantizes the layers listed in the configuration."""
        network: keras.Model = self
        if not network.trainable:
            network.trainable = False  # also for layers and weights added since it was set
        for path, part in list(iterate_layers(self)):
            if self.frozen or not part.trainable:
                part.trainable = part.trainable and path not in self.frozen
            if path in self.quantized:
                part.dtype_policy = keras.dtype_policies.deserialize(self.quantized[path])

    def get_config(self) -> dict[str, Any]:
        parts = dict(iterate_layers(self))
        frozen = [path for path, part in parts.items() if not part.trainable]
        quantized = {
            path: keras.dtype_policies.serialize(part.dtype_policy)
            for path, part in parts.items()
            if part.quantization_mode is not None
        }
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            **({"frozen": frozen} if frozen else {}),
            **({"quantized": quantized} if quantized else {}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Network:
        config = dict(config)
        frozen, quantized = config.pop("frozen", []), config.pop("quantized", {})
        network = super().from_config(config)
        network.frozen, network.quantized = frozen, quantized
        if network.built:
            network.apply_layer_settings()
        return network

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Saves the network as Keras does. An `.h5` file also stores the registered name of the
        class, which Keras needs to load it."""
        super().save(filepath, *args, **kwargs)
        if Path(filepath).suffix in (".h5", ".hdf5"):
            with h5py.File(filepath, "r+") as file:
                config = json.loads(file.attrs["model_config"])
                config["class_name"] = keras.saving.get_registered_name(type(self))
                file.attrs["model_config"] = json.dumps(config)


def iterate_layers(
    layer: keras.layers.Layer, path: str = ""
) -> Iterator[tuple[str, keras.layers.Layer]]:
    """Yields the layers inside `layer` with their paths (names joined by slashes), each before its
    own sublayers."""
    for part in layer._flatten_layers(include_self=False, recursive=False):
        name = f"{path}{part.name}"
        yield name, part
        yield from iterate_layers(part, f"{name}/")
