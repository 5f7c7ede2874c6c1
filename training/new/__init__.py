"""`new`: a recipe for files that nobody has described."""
