"""Pure functions on strings, the same for training and serving. Standard library only."""
