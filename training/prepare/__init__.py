"""Sources to shards of tokenised examples."""
