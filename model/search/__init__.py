"""Looks for the best hypotheses over the decoding contract. NumPy only: no network, no clock."""
