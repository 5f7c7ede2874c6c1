"""Compilers and devices of the Keras backends."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np

#: Compute capability from which NVIDIA devices multiply bfloat16 in their tensor cores.
MIN_BFLOAT16_CAPABILITY = 8.0


def prepare_device() -> bool:
    """Tells whether there is a GPU, and makes the framework allocate its memory as needed instead
    of all at once. Call this before any computation."""
    if keras.backend.backend() == "jax":
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        import jax

        return bool(jax.default_backend() == "gpu")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        return bool(gpus)
    import torch

    return bool(torch.cuda.is_available())


def has_fast_bfloat16() -> bool:
    """Tells whether the GPU multiplies bfloat16 faster than float32. Needs a GPU."""
    if keras.backend.backend() == "jax":
        import jax

        capability = getattr(jax.devices()[0], "compute_capability", "0")
        return float(capability) >= MIN_BFLOAT16_CAPABILITY
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        details = tf.config.experimental.get_device_details(
            tf.config.list_physical_devices("GPU")[0]
        )
        major, minor = details.get("compute_capability", (0, 0))
        return float(f"{major}.{minor}") >= MIN_BFLOAT16_CAPABILITY
    import torch

    return bool(torch.cuda.is_bf16_supported())


def compiled(
    function: Callable[..., Any],
    network: keras.Model,
    *,
    has_static_shapes: bool = False,
    constants: tuple[int, ...] = (),
    donated: tuple[int, ...] = (),
    on_compile: Callable[[], None] = lambda: None,
) -> Callable[..., Any]:
    """Returns a compiled `function`, which runs no Python, if the backend has a compiler.

    Args:
        function: a function of tensors, arrays and nested tensors; it reads no weights but those of
            `network`.
        network: calls use its current weights.
        has_static_shapes: whether to compile with XLA, once per combination of shapes. JAX always
            does. On TensorFlow the alternative is a graph with dynamic shapes, which is faster on
            a CPU.
        constants: positions of arguments that are not tensors; each value is compiled separately.
        donated: positions of arguments whose memory the results may reuse, on JAX.
        on_compile: called whenever a program is compiled.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        def traced(*arguments: Any) -> Any:
            on_compile()
            return function(*arguments)

        return tf.function(
            traced, jit_compile=has_static_shapes or None, reduce_retracing=not has_static_shapes
        )
    if keras.backend.backend() == "torch":
        import torch

        return torch.no_grad()(lambda *arguments: function(*map(_tensor, arguments)))
    return _compiled_by_jax(function, network, constants, donated, on_compile)


def _tensor(argument: Any) -> Any:
    """Converts an array to a tensor; returns anything else unchanged."""
    is_array = isinstance(argument, np.ndarray)
    return keras.ops.convert_to_tensor(argument) if is_array else argument


def _compiled_by_jax(
    function: Callable[..., Any],
    network: keras.Model,
    constants: tuple[int, ...],
    donated: tuple[int, ...],
    on_compile: Callable[[], None],
) -> Callable[..., Any]:
    import jax

    variables = network.variables

    def pure(weights: list[Any], *arguments: Any) -> Any:
        on_compile()
        with keras.StatelessScope(state_mapping=zip(variables, weights, strict=True)):
            return function(*arguments)

    jitted = jax.jit(
        pure,
        static_argnums=tuple(1 + place for place in constants),
        donate_argnums=tuple(1 + place for place in donated),
    )
    return lambda *arguments: jitted([each.value for each in variables], *arguments)


def enable_compilation_cache() -> None:
    """Makes JAX cache compiled programs for the next start, in `JAX_COMPILATION_CACHE_DIR` or in
    the user's cache folder if that is writable. Call this before any computation."""
    if keras.backend.backend() != "jax":
        return
    import jax

    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    with suppress(OSError, RuntimeError):  # RuntimeError: the user has no home
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = cache / "seq2seq" / "jax"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            jax.config.update("jax_compilation_cache_dir", str(folder))
