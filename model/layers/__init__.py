"""Layers over tensors, in `keras.ops` only: they do not depend on text, files or search."""

import keras  # noqa: F401, first: Keras then imports the networks, before any layer is half imported
