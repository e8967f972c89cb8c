"""Relations to another thing that its own name singles out: sides, inside, nearest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stages.vlm.pretrain.nouns import Phrase, View, counted, draw_noun
from stages.vlm.pretrain.scenes import Thing


def _gap(a: float, b: float, side: int) -> float:
    return (b - a) / side


RELATIONS: dict[str, tuple[tuple[str, ...], Callable[[Thing, Thing, int], float]]] = {
    "left": (("left of", "to the left of"), lambda a, b, s: _gap(a.centre_xy_px[0], b.centre_xy_px[0], s)),
    "right": (("right of", "to the right of"), lambda a, b, s: _gap(b.centre_xy_px[0], a.centre_xy_px[0], s)),
    "above": (("above", "higher than", "higher in the image than"), lambda a, b, s: _gap(a.centre_xy_px[1], b.centre_xy_px[1], s)),
    "below": (("below", "lower than", "lower in the image than"), lambda a, b, s: _gap(b.centre_xy_px[1], a.centre_xy_px[1], s)),
    "inside": (("inside", "within", "in"), lambda a, b, s: 0.0),
    "near": (("nearest to", "closest to", "next to"), lambda a, b, s: -float(np.hypot(*np.subtract(a.centre_xy_px, b.centre_xy_px))) / s),
}


def related(view: View) -> Phrase | None:
    """Left of, right of, above, below, inside, nearest to a thing that its own name singles out."""
    noun, anchor = draw_noun(view), draw_noun(view, generic=0.0)
    if len(anchor.members) != 1 or (anchor.members[0] in noun.members and len(noun.members) == 1):
        return None
    other = anchor.members[0]
    candidates = [i for i in noun.members if i != other]
    if not candidates:
        return None
    name = view.pick(*RELATIONS)
    inside = _nearest(view, candidates, other) if name == "near" else _on_the_side(view, candidates, other, name)
    if not inside:
        return None
    words = view.pick(*RELATIONS[name][0])
    if len(inside) == 1:
        return Phrase(f"the {noun.text} {words} the {anchor.text}", inside, "relation")
    return Phrase(f"{counted(view, noun.plural, len(inside))} {words} the {anchor.text}", inside, "relation_plural")


def _nearest(view: View, candidates: list[int], other: int) -> tuple[int, ...]:
    """The candidate that is clearly nearer than all others; empty when none is."""
    if len(candidates) < 2:
        return ()
    degree = RELATIONS["near"][1]
    degrees = [degree(view.things[i], view.things[other], view.side_px) for i in candidates]
    first, second = np.argsort(degrees)[::-1][:2]
    return (candidates[first],) if degrees[first] - degrees[second] >= 0.05 else ()


def _on_the_side(view: View, candidates: list[int], other: int, name: str) -> tuple[int, ...]:
    """The candidates that stand so to the other thing; empty when it is unclear for one of them."""
    if name == "inside":
        return tuple(i for i in candidates if view.things[i].parent == other)
    degree = RELATIONS[name][1]
    degrees = [degree(view.things[i], view.things[other], view.side_px) for i in candidates]
    if any(-0.05 < value <= 0.02 for value in degrees):
        return ()
    return tuple(i for i, value in zip(candidates, degrees, strict=True) if value > 0.02)
