"""Dialogue from subtitle files: cues, speech, turns and scenes."""
