"""Rules that drop an example."""
