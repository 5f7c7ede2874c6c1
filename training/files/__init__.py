"""Files, their text, and what readers make of them."""
