"""Weights of a model folder in less than half the size."""

from __future__ import annotations

import io

import h5py
import keras
import numpy as np

#: Options of h5py for arrays of this many bytes and more. Shuffled, the bytes with the exponents
#: are neighbours, which compress well.
MIN_COMPRESSED_BYTES = 2**14
COMPRESSION = {"compression": "gzip", "shuffle": True}


def round_weights(network: keras.Model) -> None:
    """Rounds the weights of `network` to half precision."""
    network.set_weights(
        [weight.astype(np.float16).astype(weight.dtype) for weight in network.get_weights()]
    )


def halved(weights: bytes) -> bytes:
    """Returns a file of weights with float16 in place of float32, compressed. Keras reads both."""
    written = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as whole, h5py.File(written, "w") as half:

        def copy(name: str, found: h5py.Group | h5py.Dataset) -> None:
            if isinstance(found, h5py.Group):
                copied = half.require_group(name)
            else:
                values = found[()]
                is_float = values.dtype == np.float32
                copied = half.create_dataset(
                    name,
                    data=values.astype(np.float16) if is_float else values,
                    **(COMPRESSION if values.nbytes >= MIN_COMPRESSED_BYTES else {}),
                )
            copied.attrs.update(found.attrs)

        half.attrs.update(whole.attrs)
        whole.visititems(copy)
    return written.getvalue()
