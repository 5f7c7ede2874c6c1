"""Weights of a model folder in less than half the size."""

from __future__ import annotations

import io

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

#: Significant bits of a float16 that bfloat16 lacks.
_SPARE_BITS = 3
#: Options of h5py for arrays of this many bytes and more. Shuffled, the bytes with the exponents
#: are neighbours, which compress well.
MIN_COMPRESSED_BYTES = 2**14
COMPRESSION = {"compression": "gzip", "shuffle": True}


def round_weights(network: keras.Model) -> None:
    """Rounds the weights of `network` as `halved` does."""
    network.set_weights([_to_half(each).astype(each.dtype) for each in network.get_weights()])


def _to_half(weight: NDArray[np.float32]) -> NDArray[np.float16]:
    """Returns numbers of 8 significant bits, as in bfloat16, with which networks are trained. The
    bits that are left are 0 and compress well."""
    bits = weight.astype(np.float16).view(np.uint16)
    nearest = (bits + (1 << _SPARE_BITS - 1)) >> _SPARE_BITS << _SPARE_BITS
    return nearest.astype(np.uint16).view(np.float16)


def halved(weights: bytes) -> bytes:
    """Returns a file of weights with float16 in place of float32, compressed. Keras reads both."""
    written = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as whole, h5py.File(written, "w") as half:

        def copy(name: str, found: h5py.Group | h5py.Dataset) -> None:
            if isinstance(found, h5py.Group):
                copied = half.require_group(name)
            else:
                values = found[()]
                is_float = np.issubdtype(values.dtype, np.floating)
                copied = half.create_dataset(
                    name,
                    data=_to_half(values) if is_float else values,
                    **(COMPRESSION if values.nbytes >= MIN_COMPRESSED_BYTES else {}),
                )
            copied.attrs.update(found.attrs)

        half.attrs.update(whole.attrs)
        whole.visititems(copy)
    return written.getvalue()
