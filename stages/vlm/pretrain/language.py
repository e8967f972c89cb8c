"""Everyday referring language about a scene, true by computation.

A phrase is built from a noun filter and a selector; it is kept only when the scene satisfies it for exactly its
targets with a margin, so that no phrase is ambiguous. No medical word occurs here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stages.vlm.pretrain.scenes import COLOURS, SHAPES, Scene, Thing
from stages.vlm.pretrain.shapes import KINDS

GENERIC = ("object", "object", "shape", "thing", "structure", "region", "area")
NUMBERS = ("zero", "one", "two", "three", "four", "five")
ORDINALS = ("first", "second", "third", "fourth")
PLURALS = {"box": "boxes", "patch": "patches", "splash": "splashes"}
MAX_TARGETS = 5


@dataclass(frozen=True)
class Phrase:
    """A referring phrase, the indices of its targets (none, one, several) and the kind of skill it needs."""

    text: str
    targets: tuple[int, ...]
    kind: str


@dataclass(frozen=True)
class Noun:
    """A noun phrase without article and the things that it fits."""

    text: str
    plural: str
    members: tuple[int, ...]


@dataclass(frozen=True)
class View:
    """What the writers look at: the scene's things, the side in px, and the random source."""

    things: list[Thing]
    side_px: int
    rng: np.random.Generator

    def pick(self, *options: str) -> str:
        """One of the wordings."""
        return options[int(self.rng.integers(len(options)))]


def write_phrases(scene: Scene, rng: np.random.Generator, count: int, weights: dict[str, float]) -> list[Phrase]:
    """At most ``count`` different true phrases about a scene; ``weights`` says how often each kind is tried."""
    view = View(scene.things, scene.image.shape[0], rng)
    names = list(weights)
    chances = np.array([weights[name] for name in names]) / sum(weights.values())
    found: dict[str, Phrase] = {}
    for _ in range(count * 5):
        phrase = WRITERS[names[int(rng.choice(len(names), p=chances))]](view)
        if phrase is not None and len(phrase.targets) <= MAX_TARGETS:
            found.setdefault(phrase.text, dataclasses.replace(phrase, text=set_in_frame(phrase.text, rng)))
        if len(found) == count:
            break
    return list(found.values())


FRAMES = (
    "where is {}?", "where can {} be seen?", "can you find {}?", "could you show me {}?", "find {}", "locate {}", "point to {}", "show {}",
    "show me {}", "mark {}", "please find {}", "in this image, find {}", "there is {}", "this image shows {}", "{} is visible", "look at {}",
    "where in this image is {}?", "which one is {}?", "identify {}", "note {}",
)  # fmt: skip


def set_in_frame(text: str, rng: np.random.Generator) -> str:
    """The phrase alone, without or with another article, or within a request, a question or a statement."""
    draw = rng.random()
    if text.startswith("the ") and draw < 0.22:
        text = text[4:] if draw < 0.12 else ("an " if text[4] in "aeiou" else "a ") + text[4:]
    if rng.random() < 0.35:
        return FRAMES[int(rng.integers(len(FRAMES)))].format(text)
    return text


def plural_of(noun: str) -> str:
    """English plural of an everyday noun."""
    return PLURALS.get(noun, noun + "s")


def draw_noun(view: View, generic: float = 0.25) -> Noun:
    """A noun phrase about some thing of the scene: kind, colour or shade with kind, texture with kind, or generic."""
    rng, things = view.rng, view.things
    example = things[int(rng.integers(len(things)))]
    members = list(range(len(things)))
    words: list[str] = []
    if rng.random() < 0.45 and (example.colour or example.shade):
        attribute = example.colour or example.shade
        words.append(attribute if example.colour else view.pick(*SHADE_WORDS[attribute]))
        members = [i for i in members if (things[i].colour or things[i].shade) == attribute]
    elif rng.random() < 0.2 and example.texture != "plain":
        words.append(example.texture)
        members = [i for i in members if things[i].texture == example.texture]
    if rng.random() < generic:
        noun = view.pick(*GENERIC)
    else:
        noun = view.pick(*KINDS[example.kind].nouns)
        members = [i for i in members if things[i].kind == example.kind]
    prefix = " ".join(words) + " " if words else ""
    return Noun(prefix + noun, prefix + plural_of(noun), tuple(members))


SHADE_WORDS = {"bright": ("bright", "light", "white"), "dark": ("dark", "black")}


def _name(view: View) -> Phrase | None:
    noun = draw_noun(view, generic=0.05)
    if len(noun.members) == 1:
        return Phrase(view.pick("the ", "the ", "") + noun.text, noun.members, "name")
    return _plural_phrase(view, noun)


def _plural(view: View) -> Phrase | None:
    noun = draw_noun(view)
    return _plural_phrase(view, noun) if len(noun.members) > 1 else None


def _plural_phrase(view: View, noun: Noun) -> Phrase | None:
    n = len(noun.members)
    if n > MAX_TARGETS:
        return None
    counted = "both " if n == 2 else f"the {NUMBERS[n]} "
    return Phrase(view.pick("all ", "all the ", counted, "the ") + noun.plural, noun.members, "plural")


def _absent(view: View) -> Phrase | None:
    """Something that is not there: no thing matches the noun, or none lies in the named place."""
    things, rng = view.things, view.rng
    if rng.random() < 0.3:
        return _absent_place(view)
    kind = str(rng.choice(SHAPES))
    confusable = {"circle": "oval", "oval": "circle", "blob": "oval"}
    present = {thing.kind for thing in things}
    noun = view.pick(*KINDS[kind].nouns)
    if kind not in present and confusable.get(kind) not in present and not (present & {"blob", "bean"}):
        return Phrase(f"the {noun}", (), "none")
    colour = str(rng.choice(list(COLOURS)))
    if things[0].colour and all(thing.colour != colour for thing in things):
        return Phrase(f"the {colour} {view.pick(noun, *GENERIC)}", (), "none")
    return None


def _absent_place(view: View) -> Phrase | None:
    noun, place = draw_noun(view), draw_place(view)
    degrees = [place.degree(view.things[i], view.side_px) for i in noun.members]
    if all(degree < -0.06 for degree in degrees):
        return Phrase(f"the {noun.text} {place.text}", (), "none")
    return None


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
    """A half, a corner, an edge strip or the middle, in one of its wordings."""
    pick, rng = view.pick, view.rng
    image = pick("", "", " of the image", " of the picture")
    draw = rng.random()
    if draw < 0.4:
        side = str(rng.choice(["left", "right"]))
        text = pick(
            f"on the {side}", f"on the {side} side{image}", f"in the {side} half{image}", f"at the {side}", f"in the {side} part{image}"
        )
        return Place(text, lambda thing, s: HALVES[side](*_centre(thing, s)))
    if draw < 0.55:
        half = str(rng.choice(["upper", "lower"]))
        edge = "top" if half == "upper" else "bottom"
        text = pick(f"in the {half} half{image}", f"in the {half} part{image}", f"at the {edge}{image}", f"near the {edge}")
        return Place(text, lambda thing, s: HALVES[half](*_centre(thing, s)))
    if draw < 0.88:
        half, side = str(rng.choice(["upper", "lower"])), str(rng.choice(["left", "right"]))
        edge = "top" if half == "upper" else "bottom"
        joined = pick(f"{half} {side}", f"{half} {side}", f"{half}-{side}", f"{edge} {side}")
        text = pick(
            f"in the {joined}",
            f"at the {joined}",
            f"in the {joined} quadrant{image}",
            f"in the {joined} corner{image}",
            f"in the {joined} part{image}",
        )
        return Place(text, lambda thing, s: min(HALVES[half](*_centre(thing, s)), HALVES[side](*_centre(thing, s))))
    text = pick(
        "in the middle", "in the centre", "near the centre", f"in the centre{image}", f"in the middle{image}", f"in the central part{image}"
    )
    return Place(text, lambda thing, s: 0.17 - max(abs(_centre(thing, s)[0] - 0.5), abs(_centre(thing, s)[1] - 0.5)))


def _placed(view: View) -> Phrase | None:
    """The X in that part of the picture; a quarter of the time as an adjective ("the upper left X")."""
    noun, place = draw_noun(view), draw_place(view)
    degrees = {i: place.degree(view.things[i], view.side_px) for i in noun.members}
    inside = tuple(i for i, degree in degrees.items() if degree > 0.03)
    if any(-0.05 < degree <= 0.03 for degree in degrees.values()) or not inside:
        return None
    if len(inside) == 1:
        return Phrase(f"the {noun.text} {place.text}", inside, "place")
    return Phrase(view.pick("the ", "all ", f"the {NUMBERS[min(len(inside), 5)]} ") + f"{noun.plural} {place.text}", inside, "place_plural")


AXES: dict[str, tuple[Callable[[Thing], float], tuple[str, ...], str]] = {
    "left": (lambda t: t.centre_xy_px[0], ("leftmost", "leftmost", "far left"), "left"),
    "right": (lambda t: -t.centre_xy_px[0], ("rightmost", "rightmost", "far right"), "right"),
    "top": (lambda t: t.centre_xy_px[1], ("topmost", "uppermost", "highest", "top"), "top"),
    "bottom": (lambda t: -t.centre_xy_px[1], ("bottommost", "lowermost", "lowest", "bottom"), "bottom"),
}


def _order(view: View, members: tuple[int, ...], key: Callable[[Thing], float]) -> tuple[list[int], list[float]]:
    """Members in the order of ``key`` and the gaps between neighbours."""
    ordered = sorted(members, key=lambda i: key(view.things[i]))
    values = [key(view.things[i]) for i in ordered]
    return ordered, [b - a for a, b in zip(values, values[1:], strict=False)]


def _extreme(view: View) -> Phrase | None:
    """Leftmost, second from the left, the left one of two, the two topmost."""
    noun = draw_noun(view)
    if len(noun.members) < 2:
        return None
    axis = str(view.rng.choice(list(AXES)))
    key, words, edge = AXES[axis]
    ordered, gaps = _order(view, noun.members, key)
    rank = _draw_rank(view, len(ordered))
    margin = 0.04 * view.side_px
    if gaps[rank] < margin if rank < len(gaps) else False:
        return None
    if rank > 0 and gaps[rank - 1] < margin:
        return None
    if rank == 0 and len(ordered) > 2 and view.rng.random() < 0.15:
        return Phrase(f"the two {words[0]} {noun.plural}", tuple(ordered[:2]), "extreme_plural") if gaps[1] > margin else None
    if rank == 0 and view.rng.random() < 0.2:
        return Phrase(f"the {noun.text} furthest to the {edge}{_image(view)}", (ordered[0],), "extreme")
    if rank == 0:
        plain = {"left": "left", "right": "right", "top": "upper", "bottom": "lower"}[axis]
        word = plain if len(ordered) == 2 and view.rng.random() < 0.5 else view.pick(*words)
        return Phrase(f"the {word} {noun.text}{_image(view)}", (ordered[0],), "extreme")
    text = view.pick(
        f"the {ORDINALS[rank]} {noun.text} from the {edge}{_image(view)}",
        f"the {ORDINALS[rank]} {words[0]} {noun.text}",
        f"the {noun.text} that is {ORDINALS[rank]} from the {edge}",
    )
    return Phrase(text, (ordered[rank],), "ordinal")


def _image(view: View) -> str:
    return view.pick("", "", "", " in the image")


def _draw_rank(view: View, n: int) -> int:
    return 0 if n == 2 or view.rng.random() < 0.5 else int(view.rng.integers(1, min(n, 4)))


def _size(view: View) -> Phrase | None:
    """Largest, second smallest, the larger of two, the two largest; areas differ by a quarter at least."""
    noun = draw_noun(view)
    if len(noun.members) < 2:
        return None
    large = bool(view.rng.random() < 0.55)
    sign = -1.0 if large else 1.0
    ordered, gaps = _order(view, noun.members, lambda thing: sign * float(np.log(thing.area_px)))
    top, comparative = (("largest", "biggest"), ("larger", "bigger", "large")) if large else (("smallest",), ("smaller", "small"))
    margin = float(np.log(1.25))
    if len(ordered) > 2 and view.rng.random() < 0.15 and gaps[1] > margin:
        return Phrase(f"the two {view.pick(*top)} {noun.plural}", tuple(ordered[:2]), "size_plural")
    rank = _draw_rank(view, len(ordered))
    if (rank < len(gaps) and gaps[rank] < margin) or (rank > 0 and gaps[rank - 1] < margin):
        return None
    if rank == 0:
        word = view.pick(*top, *comparative) if len(ordered) == 2 else view.pick(*top)
        return Phrase(f"the {word} {noun.text}", (ordered[0],), "size")
    return Phrase(f"the {ORDINALS[rank]} {top[0]} {noun.text}", (ordered[rank],), "size_rank")


def _level(view: View) -> Phrase | None:
    noun = draw_noun(view)
    if len(noun.members) < 2 or view.things[noun.members[0]].colour:
        return None
    bright = bool(view.rng.random() < 0.5)
    ordered, gaps = _order(view, noun.members, lambda thing: -thing.level if bright else thing.level)
    if gaps[0] < 25:
        return None
    word = view.pick(*(("brightest", "lightest") if bright else ("darkest",)))
    return Phrase(f"the {word} {noun.text}", (ordered[0],), "level")


def _form(view: View) -> Phrase | None:
    """The round or the elongated one among members of unlike aspect."""
    noun = draw_noun(view, generic=0.5)
    if len(noun.members) < 2:
        return None
    long = bool(view.rng.random() < 0.5)
    ratio = {i: _elongation(view.things[i]) for i in noun.members}
    fits = tuple(i for i in noun.members if (ratio[i] > 1.7 if long else ratio[i] < 1.12))
    unclear = [i for i in noun.members if i not in fits and 1.12 <= ratio[i] <= 1.7 and (ratio[i] > 1.45 if long else ratio[i] < 1.3)]
    if len(fits) != 1 or unclear:
        return None
    word = view.pick("elongated", "long", "narrow") if long else view.pick("round", "roundish", "compact")
    return Phrase(f"the {word} {noun.text}", fits, "form")


def _edge(view: View) -> Phrase | None:
    """The X that touches an edge of the picture, the others well clear of it."""
    noun = draw_noun(view)
    edge = str(view.rng.choice(list(AXES)))
    gaps = {i: _edge_gap(view.things[i], edge, view.side_px) for i in noun.members}
    fits = tuple(i for i, gap in gaps.items() if gap <= 0.012)
    if len(fits) != 1 or any(0.012 < gap < 0.05 for gap in gaps.values()):
        return None
    text = view.pick(f"touching the {edge} edge", f"reaching the {edge} border", f"at the {edge} edge of the image")
    return Phrase(f"the {noun.text} {text}", fits, "edge")


def _edge_gap(thing: Thing, edge: str, side_px: int) -> float:
    x0, y0, x1, y1 = thing.box_xyxy_px
    return {"left": x0, "top": y0, "right": side_px - x1, "bottom": side_px - y1}[edge] / side_px


def _elongation(thing: Thing) -> float:
    return 1 / max(thing.aspect, 0.05)


def _relation(view: View) -> Phrase | None:
    """Left of, right of, above, below, inside, next to a thing that its own name singles out."""
    noun, anchor = draw_noun(view), draw_noun(view, generic=0.0)
    if len(anchor.members) != 1 or (anchor.members[0] in noun.members and len(noun.members) == 1):
        return None
    other = anchor.members[0]
    candidates = [i for i in noun.members if i != other]
    if not candidates:
        return None
    name = str(view.rng.choice(list(RELATIONS)))
    words, degree = RELATIONS[name]
    degrees = [degree(view.things[i], view.things[other], view.side_px) for i in candidates]
    if name == "near":
        if len(candidates) < 2:
            return None
        first, second = np.argsort(degrees)[::-1][:2]
        if degrees[first] - degrees[second] < 0.06:
            return None
        inside = (candidates[first],)
    else:
        if name == "inside":
            degrees = [1.0 if view.things[i].parent == other else -1.0 for i in candidates]
        inside = tuple(i for i, value in zip(candidates, degrees, strict=True) if value > 0.02)
        if not inside or any(-0.05 < value <= 0.02 for value in degrees):
            return None
    text = f"{noun.text if len(inside) == 1 else noun.plural} {view.pick(*words)} the {anchor.text}"
    return Phrase("the " + text, inside, "relation" if len(inside) == 1 else "relation_plural")


def _gap(a: float, b: float, side: int) -> float:
    return (b - a) / side


RELATIONS: dict[str, tuple[tuple[str, ...], Callable[[Thing, Thing, int], float]]] = {
    "left": (("left of", "to the left of"), lambda a, b, s: _gap(a.centre_xy_px[0], b.centre_xy_px[0], s)),
    "right": (("right of", "to the right of"), lambda a, b, s: _gap(b.centre_xy_px[0], a.centre_xy_px[0], s)),
    "above": (("above", "higher than"), lambda a, b, s: _gap(a.centre_xy_px[1], b.centre_xy_px[1], s)),
    "below": (("below", "lower than", "under"), lambda a, b, s: _gap(b.centre_xy_px[1], a.centre_xy_px[1], s)),
    "inside": (("inside", "within", "in"), lambda a, b, s: 0.0),
    "near": (("nearest to", "closest to", "next to"), lambda a, b, s: -float(np.hypot(*np.subtract(a.centre_xy_px, b.centre_xy_px))) / s),
}


def _both(view: View) -> Phrase | None:
    """Two selectors at once: the largest X on the left, the topmost X in the right half, the small X in the corner."""
    noun, place = draw_noun(view), draw_place(view)
    degrees = {i: place.degree(view.things[i], view.side_px) for i in noun.members}
    if any(-0.05 < degree <= 0.03 for degree in degrees.values()):
        return None
    inside = tuple(i for i, degree in degrees.items() if degree > 0.03)
    if len(inside) < 2 or len(inside) == len(noun.members):
        return None
    inner = View(view.things, view.side_px, view.rng)
    restricted = Noun(noun.text, noun.plural, inside)
    key, words, margin = _draw_selector(inner)
    ordered, gaps = _order(inner, restricted.members, key)
    if gaps[0] < margin:
        return None
    return Phrase(f"the {view.pick(*words)} {noun.text} {place.text}", (ordered[0],), "both")


def _draw_selector(view: View) -> tuple[Callable[[Thing], float], tuple[str, ...], float]:
    draw = view.rng.random()
    if draw < 0.35:
        return lambda thing: -float(np.log(thing.area_px)), ("largest", "biggest", "larger"), float(np.log(1.25))
    if draw < 0.6:
        return lambda thing: float(np.log(thing.area_px)), ("smallest", "smaller"), float(np.log(1.25))
    key, words, _ = AXES[str(view.rng.choice(list(AXES)))]
    return key, words, 0.04 * view.side_px


WRITERS: dict[str, Callable[[View], Phrase | None]] = {
    "name": _name,
    "plural": _plural,
    "none": _absent,
    "place": _placed,
    "extreme": _extreme,
    "size": _size,
    "level": _level,
    "form": _form,
    "relation": _relation,
    "both": _both,
    "edge": _edge,
}
