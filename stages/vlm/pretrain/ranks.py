"""Comparisons among things of one kind: first and last by place, by size, by grey level, and of those in one place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from stages.vlm.pretrain.nouns import NUMBERS, Noun, Phrase, View, draw_noun
from stages.vlm.pretrain.places import draw_place, members_in
from stages.vlm.pretrain.scenes import Thing

ORDINALS = ("first", "second", "third", "fourth")
MOST_RANKS = 3


@dataclass(frozen=True)
class Order:
    """A way to line things up. ``key`` ascends from the first; neighbours in words differ by ``margin`` at least.

    ``first`` are superlatives, ``of_two`` comparatives (where exactly two come into question), ``edge`` names the end
    that places are counted from ("second from the left").
    """

    kind: str
    key: Callable[[Thing], float]
    margin: float
    first: tuple[str, ...]
    of_two: tuple[str, ...]
    edge: str = ""


def _place_order(edge: str, key: Callable[[Thing], float], first: tuple[str, ...], of_two: str, side_px: int) -> Order:
    return Order("extreme", key, 0.032 * side_px, first, (of_two,), edge)


def place_orders(side_px: int) -> list[Order]:
    """Along the picture's axes, by the things' centres."""
    return [
        _place_order("left", lambda t: t.centre_xy_px[0], ("leftmost", "leftmost", "far left"), "left", side_px),
        _place_order("right", lambda t: -t.centre_xy_px[0], ("rightmost", "rightmost", "far right"), "right", side_px),
        _place_order("top", lambda t: t.centre_xy_px[1], ("topmost", "uppermost", "highest", "top"), "upper", side_px),
        _place_order("bottom", lambda t: -t.centre_xy_px[1], ("bottommost", "lowermost", "lowest", "bottom"), "lower", side_px),
    ]


_RATIO = math.log(1.2)
LARGEST = Order("size", lambda t: -math.log(t.area_px), _RATIO, ("largest", "largest", "biggest"), ("larger", "bigger", "large"))
SMALLEST = Order("size", lambda t: math.log(t.area_px), _RATIO, ("smallest",), ("smaller", "small"))
BRIGHTEST = Order("level", lambda t: -t.level, 18.0, ("brightest", "lightest"), ("brighter", "lighter"))
DARKEST = Order("level", lambda t: t.level, 18.0, ("darkest",), ("darker",))


def by_place(view: View) -> Phrase | None:
    """Leftmost, second from the left, the left one of two, the two topmost."""
    return ranked(view, draw_noun(view), _any(view, place_orders(view.side_px)), "")


def by_size(view: View) -> Phrase | None:
    """Largest, second smallest, the larger of two, the two largest."""
    return ranked(view, draw_noun(view), LARGEST if view.rng.random() < 0.55 else SMALLEST, "")


def by_level(view: View) -> Phrase | None:
    """Brightest or darkest of grey things."""
    noun = draw_noun(view)
    if not noun.members or any(view.things[i].colour for i in noun.members):
        return None
    return ranked(view, noun, BRIGHTEST if view.rng.random() < 0.5 else DARKEST, "")


def by_two(view: View) -> Phrase | None:
    """Two selectors at once: the largest X on the left, the second X from the top in the right half."""
    noun, place = draw_noun(view), draw_place(view)
    inside = members_in(view, noun.members, place)
    if inside is None or len(inside) < 2 or len(inside) == len(noun.members):
        return None
    order = _any(view, [LARGEST, LARGEST, SMALLEST, SMALLEST, *place_orders(view.side_px)])
    return ranked(view, Noun(noun.text, noun.plural, inside), order, f" {place.text}")


def _any(view: View, orders: list[Order]) -> Order:
    return orders[int(view.rng.integers(len(orders)))]


def ranked(view: View, noun: Noun, order: Order, where: str) -> Phrase | None:
    """A phrase about the members' order; ``where`` follows the noun and names the place that all members lie in."""
    n = len(noun.members)
    if n < 2:
        return None
    members = sorted(noun.members, key=lambda i: order.key(view.things[i]))
    values = [order.key(view.things[i]) for i in members]
    clear = [b - a >= order.margin for a, b in zip(values, values[1:], strict=False)]
    kind = "both" if where else order.kind
    draw = view.rng.random()
    if n > 2 and draw < 0.12:
        count = 3 if n > 3 and view.rng.random() < 0.3 else 2
        text = f"the {NUMBERS[count]} {view.pick(*order.first)} {noun.plural}{where}"
        return Phrase(text, tuple(members[:count]), f"{order.kind}_plural") if clear[count - 1] else None
    if not where and n < MOST_RANKS and draw > 0.96 and order.kind != "level":
        return Phrase(ordinal(view, noun.text, n, order, where), (), "none")
    rank = _draw_rank(view, n) if order.kind != "level" else 0
    if (rank < n - 1 and not clear[rank]) or (rank > 0 and not clear[rank - 1]):
        return None
    if rank:
        names = {"extreme": "ordinal", "size": "size_rank", "both": "both_rank"}
        return Phrase(ordinal(view, noun.text, rank, order, where), (members[rank],), names[kind])
    return Phrase(_first(view, noun.text, n, order, where), (members[0],), kind)


def _draw_rank(view: View, n: int) -> int:
    """0 is the first; of two only the first, because the second is the first from the other end."""
    return 0 if n == 2 or view.rng.random() < 0.42 else int(view.rng.integers(1, min(n, MOST_RANKS)))


def _first(view: View, noun: str, n: int, order: Order, where: str) -> str:
    image = "" if where else view.pick("", "", " in the image")
    if order.edge and view.rng.random() < 0.2:
        return f"the {noun} furthest to the {order.edge}{image}{where}"
    word = view.pick(*order.of_two) if n == 2 and view.rng.random() < 0.5 else view.pick(*order.first)
    return f"the {word} {noun}{image}{where}"


def ordinal(view: View, noun: str, rank: int, order: Order, where: str) -> str:
    """The noun with an ordinal; ``rank`` counts from 0."""
    word = ORDINALS[rank]
    if not order.edge:
        return f"the {word} {view.pick(*order.first)} {noun}{where}"
    if where:
        return f"the {word} {order.first[0]} {noun}{where}"
    image = view.pick("", "", " in the image")
    return view.pick(
        f"the {word} {noun} from the {order.edge}{image}",
        f"the {word} {noun} from the {order.edge}{image}",
        f"the {word} {order.first[0]} {noun}",
        f"the {noun} that is {word} from the {order.edge}",
    )
