"""Places in the picture: halves, corners, the middle, edges; and what is not in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stages.vlm.pretrain.nouns import Phrase, View, counted, draw_noun
from stages.vlm.pretrain.scenes import Thing

# A thing is in a place when it lies so far inside it, and out of it when it lies so far outside, as a share of the side.
INSIDE, OUTSIDE = 0.03, -0.04


@dataclass(frozen=True)
class Place:
    """A part of the picture. ``degree`` > 0 inside, < 0 outside, as a share of the side."""

    text: str
    degree: Callable[[Thing, int], float]


def _centre(thing: Thing, side: int) -> tuple[float, float]:
    return thing.centre_xy_px[0] / side, thing.centre_xy_px[1] / side


HALVES: dict[str, Callable[[float, float], float]] = {
    "left": lambda x, y: 0.5 - x,
    "right": lambda x, y: x - 0.5,
    "upper": lambda x, y: 0.5 - y,
    "lower": lambda x, y: y - 0.5,
}


def draw_place(view: View) -> Place:
    """A half, a corner or the middle, in one of its wordings."""
    pick, rng = view.pick, view.rng
    image = pick("", " of the image", " of the image", " of the picture")
    draw = rng.random()
    if draw < 0.33:
        side = str(rng.choice(["left", "right"]))
        text = pick(f"on the {side}", f"on the {side} side{image}", f"in the {side} half{image}", f"at the {side}", f"in the {side} part{image}")
        return Place(text, lambda thing, s: HALVES[side](*_centre(thing, s)))
    if draw < 0.6:
        half = str(rng.choice(["upper", "lower"]))
        edge = "top" if half == "upper" else "bottom"
        text = pick(f"in the {half} half{image}", f"in the {edge} half{image}", f"in the {half} part{image}", f"near the {edge}{image}")
        return Place(text, lambda thing, s: HALVES[half](*_centre(thing, s)))
    if draw < 0.88:
        half, side = str(rng.choice(["upper", "lower"])), str(rng.choice(["left", "right"]))
        edge = "top" if half == "upper" else "bottom"
        joined = pick(f"{half} {side}", f"{half} {side}", f"{half}-{side}", f"{edge} {side}")
        part = pick("quadrant", "quadrant", "corner", "part")
        text = pick(f"in the {joined}", f"at the {joined}", f"in the {joined} {part}{image}", f"in the {joined} {part}{image}")
        return Place(text, lambda thing, s: min(HALVES[half](*_centre(thing, s)), HALVES[side](*_centre(thing, s))))
    text = pick("in the middle", "near the centre", f"in the centre{image}", f"at the centre{image}", f"in the central part{image}")
    return Place(text, lambda thing, s: 0.17 - max(abs(_centre(thing, s)[0] - 0.5), abs(_centre(thing, s)[1] - 0.5)))


def members_in(view: View, members: tuple[int, ...], place: Place) -> tuple[int, ...] | None:
    """The members inside the place, or None when one lies too near its border to say."""
    degrees = {i: place.degree(view.things[i], view.side_px) for i in members}
    if any(OUTSIDE < degree <= INSIDE for degree in degrees.values()):
        return None
    return tuple(i for i, degree in degrees.items() if degree > INSIDE)


def placed(view: View) -> Phrase | None:
    """The X in that part of the picture, or all of them there."""
    noun, place = draw_noun(view), draw_place(view)
    inside = members_in(view, noun.members, place)
    if not inside:
        return None
    if len(inside) == 1:
        return Phrase(f"the {noun.text} {place.text}", inside, "place")
    return Phrase(f"{counted(view, noun.plural, len(inside))} {place.text}", inside, "place_plural")


def absent_place(view: View) -> Phrase | None:
    """An X in a part of the picture that holds none."""
    noun, place = draw_noun(view), draw_place(view)
    if all(place.degree(view.things[i], view.side_px) < -0.06 for i in noun.members):
        return Phrase(f"the {noun.text} {place.text}", (), "none")
    return None


EDGES = ("left", "right", "top", "bottom")


def edge(view: View) -> Phrase | None:
    """The X that touches an edge of the picture, the others well clear of it."""
    noun = draw_noun(view)
    name = view.pick(*EDGES)
    gaps = {i: _edge_gap(view.things[i], name, view.side_px) for i in noun.members}
    fits = tuple(i for i, gap in gaps.items() if gap <= 0.012)
    if len(fits) > 1 or any(0.012 < gap < 0.05 for gap in gaps.values()):
        return None
    if not fits and view.rng.random() < 0.85:
        return None
    text = view.pick(f"touching the {name} edge", f"reaching the {name} border", f"at the {name} edge of the image", f"cut off by the {name} edge")
    return Phrase(f"the {noun.text} {text}", fits, "edge" if fits else "none")


def _edge_gap(thing: Thing, name: str, side_px: int) -> float:
    x0, y0, x1, y1 = thing.box_xyxy_px
    return {"left": x0, "top": y0, "right": side_px - x1, "bottom": side_px - y1}[name] / side_px
