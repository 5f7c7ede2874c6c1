"""Shards to weights."""
