"""Anchors to referring expressions: true claims that single out their targets, worded in clinical English."""
