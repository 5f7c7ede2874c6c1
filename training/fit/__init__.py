"""Training: from shards to weights."""
