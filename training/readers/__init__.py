"""One file for each format: a path in, examples and faults out, as a stream."""
