"""Subtitle files to dialogue."""
