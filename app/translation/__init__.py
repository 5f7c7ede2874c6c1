"""Translation of whole texts, pages and subtitle files by a model of sentences. Knows no HTTP."""
