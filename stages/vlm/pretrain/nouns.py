"""Nouns of everyday language about a scene: which things a noun phrase fits, with a margin for every adjective."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.vlm.pretrain.scenes import Thing
from stages.vlm.pretrain.shapes import KINDS

GENERIC = ("object", "object", "shape", "thing", "structure", "region", "area")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight")
PLURALS = {"box": "boxes", "patch": "patches", "splash": "splashes"}
MAX_TARGETS = 8
SHADE_WORDS = {"bright": ("bright", "light", "white"), "dark": ("dark", "black")}
# Word -> (it holds, it clearly does not hold) for a thing; what is neither is never spoken of.
FORMS = {
    "round": (lambda t: t.elongation < 1.25, lambda t: t.elongation > 1.41),
    "elongated": (lambda t: t.elongation > 2.0, lambda t: t.elongation < 1.7),
    "irregular": (lambda t: t.solidity < 0.79, lambda t: t.solidity > 0.85),
}
FORM_WORDS = {
    "round": ("round", "round", "rounded", "circular", "compact"),
    "elongated": ("elongated", "elongated", "long", "narrow"),
    "irregular": ("irregular", "irregular", "uneven"),
}


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


def plural_of(noun: str) -> str:
    """English plural of an everyday noun."""
    return PLURALS.get(noun, noun + "s")


def counted(view: View, plural: str, n: int) -> str:
    """A plural with its determiner: all, both, the three ..."""
    number = NUMBERS[n] if n < len(NUMBERS) else ""
    exact = [f"the {number} ", f"all {number} "] if number else ["all "]
    return view.pick("all ", "all the ", "all of the ", "the ", *(["both ", "the two "] if n == 2 else exact)) + plural


def draw_noun(view: View, generic: float = 0.25) -> Noun:
    """A noun phrase about some thing of the scene: kind, colour or shade with kind, texture or form with kind, or generic."""
    rng, things = view.rng, view.things
    example = things[int(rng.integers(len(things)))]
    if rng.random() < generic:
        noun, members = view.pick(*GENERIC), list(range(len(things)))
    else:
        noun, members = view.pick(*KINDS[example.kind].nouns), [i for i, thing in enumerate(things) if thing.kind == example.kind]
    words: list[str] = []
    draw = rng.random()
    if draw < 0.38 and (example.colour or example.shade):
        attribute = example.colour or example.shade
        words.append(attribute if example.colour else view.pick(*SHADE_WORDS[attribute]))
        members = [i for i in members if (things[i].colour or things[i].shade) == attribute]
    elif draw < 0.5 and example.texture != "plain":
        words.append(example.texture)
        members = [i for i in members if things[i].texture == example.texture]
    elif draw > 0.8:
        form = form_of(view, members, example)
        if form is not None:
            words.append(view.pick(*FORM_WORDS[form]))
            members = [i for i in members if FORMS[form][0](things[i])]
    prefix = " ".join(words) + " " if words else ""
    return Noun(prefix + noun, prefix + plural_of(noun), tuple(members))


def form_of(view: View, members: list[int], example: Thing) -> str | None:
    """A word for the example's form that clearly holds or clearly does not hold for every member; None without one."""
    fitting = [
        form for form, (holds, fails) in FORMS.items() if holds(example) and example.kind != "ring" and all(holds(view.things[i]) or fails(view.things[i]) for i in members)
    ]
    return view.pick(*fitting) if fitting else None
