"""The process that decodes, and its client. Knows no HTTP."""
