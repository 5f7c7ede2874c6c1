"""Alignment of two subtitle files of one film: from cues to pairs of texts."""
