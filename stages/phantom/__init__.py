"""Synthetic studies in the native formats of real ones: the embedded default input."""
