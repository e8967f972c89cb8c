"""Holes of an organ's mask that another label fills: the source may draw the part *instead of* the organ there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.ingest.objects import ObjectMask
from stages.knowledge.labels import ANATOMY_KINDS, label

_DISEASE = frozenset({"lesion", "finding"})


def filled_holes(objects: Sequence[ObjectMask]) -> list[tuple[str, str]]:
    """Sorted pairs (label with a hole, label that fills it entirely) of one picture.

    Looked at are lesions and findings in anatomy, and the parts that labels.yaml puts inside of it; not cells, whose nucleus
    is no cytoplasm. A connected part of
    the filling label that shares no pixel with the other and has only pixels of it around fills a hole.
    """
    pairs: set[tuple[str, str]] = set()
    for organ in objects:
        for filler in objects:
            pair = (organ.label, filler.label)
            if pair not in pairs and _may_lie_in(filler.label, organ.label) and _fills(filler, organ):
                pairs.add(pair)
    return sorted(pairs)


def _may_lie_in(part: str, whole: str) -> bool:
    known = label(part)
    named = whole in (known.inside or []) or known.kind in _DISEASE
    return part != whole and named and label(whole).kind in ANATOMY_KINDS


def _fills(filler: ObjectMask, organ: ObjectMask) -> bool:
    from scipy.ndimage import binary_dilation, find_objects
    from scipy.ndimage import label as connected

    rows, columns = np.flatnonzero(filler.mask.any(axis=1)), np.flatnonzero(filler.mask.any(axis=0))
    if not rows.size:
        return False
    top, left = filler.corner or (0, 0)
    # One pixel more on every side, so that what lies around is seen too.
    box = (top + rows[0] - 1, left + columns[0] - 1, top + rows[-1] + 2, left + columns[-1] + 2)
    around = _window(organ, box)
    if not around.any():
        return False
    parts, _ = connected(_window(filler, box), structure=np.ones((3, 3)))
    for number, place in enumerate(find_objects(parts), start=1):
        wide = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in place)
        part = parts[wide] == number
        ring = binary_dilation(part) & ~part
        if around[wide][ring].all() and not around[wide][part].any():
            return True
    return False


def _window(item: ObjectMask, box: tuple[int, int, int, int]) -> np.ndarray:
    """Mask of an object within ``box`` (top, left, bottom, right), which may go beyond the picture: nothing is there."""
    window = np.zeros((box[2] - box[0], box[3] - box[1]), bool)
    top, left = item.corner or (0, 0)
    low = (max(box[0], top), max(box[1], left))
    high = (min(box[2], top + item.mask.shape[0]), min(box[3], left + item.mask.shape[1]))
    if low[0] < high[0] and low[1] < high[1]:
        window[low[0] - box[0] : high[0] - box[0], low[1] - box[1] : high[1] - box[1]] = item.mask[low[0] - top : high[0] - top, low[1] - left : high[1] - left]
    return window
