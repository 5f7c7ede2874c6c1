"""Readers, one file per format: each takes a path and yields examples and faults, as a stream."""
