"""Routes, one file for each protocol: from a request to a search, and to its answer."""
