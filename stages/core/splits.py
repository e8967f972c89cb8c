"""The corpus' splits, and the order in which it lists boxes."""

from __future__ import annotations

from collections.abc import Sequence

SPLITS = ("train", "val", "test")


def in_reading_order(boxes: Sequence[Sequence[float]]) -> list[list[float]]:
    """Boxes from top to bottom, those of equal top from left to right."""
    return sorted((list(box) for box in boxes), key=lambda box: (box[1], box[0], box[3], box[2]))
