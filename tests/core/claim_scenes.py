"""Bare scenes for the claim language: points with sizes, grey levels and relations."""

from __future__ import annotations

import dataclasses

from stages.core.claims import Scene
from stages.core.records import Anchor, Appearance, Location, Ranks, Relation, Rle, Shape


def dot(
    x: float = 50,
    y: float = 50,
    label: str = "polyp",
    size: int = 100,
    elongation: float | None = 1.5,
    solidity: float | None = 0.95,
    mean: float = 100,
    contrast: float | None = 0,
    length_mm: float | None = None,
    touches: tuple[str, ...] = (),
    relations: tuple[Relation, ...] = (),
) -> Anchor:
    """An anchor at (x, y) without id; ``scene`` numbers it."""
    return Anchor(
        "", "s", label, "lesion", 0, [x - 5, y - 5, x + 5, y + 5], size, None, length_mm, [x, y], 0.01,
        Shape(10, 10, 10, None, elongation, None, solidity, None), Appearance(mean, 1, 100, 1, contrast, None),
        Location("centre", "middle", "central", None, list(touches)), Ranks(1, 1, 1, 1), list(relations), Rle([0, 0], ""),
    )  # fmt: skip


def scene(*anchors: Anchor, image_left_is: str | None = "patient_right", spacing_mm: list[float] | None = None) -> Scene:
    """A 100 x 100 scene; anchors get the ids "0", "1", ... in order."""
    numbered = tuple(dataclasses.replace(anchor, anchor_id=str(n)) for n, anchor in enumerate(anchors))
    return Scene("s", 100, 100, "endoscopy", image_left_is, spacing_mm, (), numbered)
