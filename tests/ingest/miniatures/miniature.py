"""What a miniature is: a tiny tree in the documented layout of a public set, and what ingest must make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Miniature:
    """One card's miniature tree.

    ``write`` fills an empty folder. ``cases`` is the number of cases that the card must find there. ``labels`` are the
    canonical labels that the tree plants; None: every label of the card. ``spacing_mm`` is the [row, column] pixel
    size of every sample, None where the set has none. ``picture_side`` says for some labels on which side of the
    stored picture ("left" or "right") the centroid of their pixels lies, which pins orientation and mirror errors;
    ``centre`` says it exactly, as (x, y) shares of the picture's width and height, which also pins swapped values.
    ``n_errors`` counts the faults that the layout itself brings along (an image that the set does not annotate, say);
    ``dropped`` are cases that the card leaves out on purpose. ``objects`` is the number of masks of each label over all
    samples (a semantic mask is one, whatever it holds); None: not counted. ``patients`` is the number of patients,
    ``splits`` are the source's own splits that samples must name.
    """

    write: Callable[[Path], None]
    cases: int
    labels: frozenset[str] | None = None
    spacing_mm: tuple[float, float] | None = None
    picture_side: dict[str, str] = field(default_factory=dict)
    n_errors: int = 0
    centre: dict[str, tuple[float, float]] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    objects: dict[str, int] | None = None
    patients: int | None = None
    splits: frozenset[str] | None = None
