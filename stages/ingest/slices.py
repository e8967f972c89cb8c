"""Which slices of a volume become samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.core.params import IngestParams, ParamError
from stages.ingest.card import Card

# An axis is clearly the coarsest when its spacing is so many times that of the next.
CLEARLY_COARSER = 1.5
PLANES = ("axial", "coronal", "sagittal")
# What a slice is worth right beside a chosen one, as a share of its worth far away.
_NEAR = 0.5


@dataclass(frozen=True)
class Bounds:
    """At most ``per_volume`` slices of a volume, ``per_label`` chosen for one label, ``min_gap`` apart."""

    per_volume: int
    per_label: int
    min_gap: int


def bounds_of(card: Card, limits: IngestParams) -> Bounds:
    """The card's own numbers where it gives them, else those of ``ingest``.

    Raises:
        ParamError: the card gives a number below 1.
    """
    own = card.slices
    for name in ("per_volume", "per_label", "min_gap"):
        value = getattr(own, name) if own else None
        if value is not None and value < 1:
            raise ParamError(f"card {card.name}: slices:{name} must be at least 1, got {value}")
    return Bounds(
        (own and own.per_volume) or limits.max_slices_per_volume,
        (own and own.per_label) or limits.max_slices_per_label,
        (own and own.min_gap) or limits.min_slice_gap,
    )


def plane_of(card: Card, spacing_mm: list[float]) -> str:
    """The plane that volumes are cut in: the card's, else across the clearly coarsest of [z, y, x], else axial."""
    if card.plane is not None:
        return card.plane
    order = np.argsort(spacing_mm)
    coarsest, next_one = int(order[-1]), int(order[-2])
    return PLANES[coarsest] if spacing_mm[coarsest] >= CLEARLY_COARSER * spacing_mm[next_one] else "axial"


def choose_slices(areas_px: np.ndarray, bounds: Bounds, min_object_px: int) -> list[int]:
    """Indices of the slices that show most, in ascending order, at least ``min_gap`` apart.

    ``areas_px`` is (labels, slices). A slice's worth is the sum over labels of its area relative to the label's
    largest slice; each time a label has been shown it counts half as much, and nothing after ``per_label`` times, so
    that the next slice shows others (a label shown that often may still appear beside another one). Nearness to a
    chosen slice takes up to half of the worth, until the distance is that of slices spread evenly over what is
    annotated. Areas below ``min_object_px`` count nothing, except when no slice reaches it. Ties go to the lower index.
    """
    counted = np.where(areas_px >= min_object_px, areas_px, 0)
    if not counted.any():
        counted = areas_px
    largest = counted.max(axis=1, keepdims=True)
    share = np.divide(counted, largest, out=np.zeros(counted.shape), where=largest > 0)
    allowed = share.any(axis=0)
    slots = min(bounds.per_volume, bounds.per_label * max(1, len(share)))
    reach = max(1.0, np.ptp(np.flatnonzero(allowed)) / slots) if allowed.any() else 1.0
    weight, shown, spread = np.ones(len(share)), np.zeros(len(share), int), np.ones(len(allowed))
    chosen: list[int] = []
    while len(chosen) < bounds.per_volume:
        worth = np.where(allowed, (weight @ share) * spread, 0.0)
        best = int(np.argmax(np.round(worth, 9)))
        if not worth[best] > 0:
            break
        chosen.append(best)
        shown += share[:, best] > 0
        weight = np.where(shown < bounds.per_label, 0.5**shown, 0.0)
        distance = np.abs(np.arange(len(allowed)) - best)
        spread = np.minimum(spread, _NEAR + (1 - _NEAR) * np.minimum(1.0, distance / reach))
        allowed[max(0, best - bounds.min_gap + 1) : best + bounds.min_gap] = False
    return sorted(chosen)
