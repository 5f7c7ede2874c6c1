"""`new`: writes a recipe for given files."""
