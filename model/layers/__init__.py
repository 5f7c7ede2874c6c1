"""Layers over tensors, in `keras.ops` only: they know nothing of text, files or search."""
