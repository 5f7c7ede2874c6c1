"""Two subtitle files of one film to pairs."""
