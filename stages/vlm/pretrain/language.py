"""Everyday referring language about a scene, true by computation.

A phrase is built from a noun filter and a selector; it is kept only when the scene satisfies it for exactly its
targets with a margin, so that no phrase is ambiguous. No medical word occurs here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from stages.vlm.pretrain.nouns import FORM_WORDS, FORMS, GENERIC, MAX_TARGETS, NUMBERS, SHADE_WORDS, Noun, Phrase, View, counted, draw_noun, form_of
from stages.vlm.pretrain.places import absent_place, edge, placed
from stages.vlm.pretrain.ranks import by_level, by_place, by_size, by_two
from stages.vlm.pretrain.relations import related
from stages.vlm.pretrain.scenes import COLOURS, SHAPES, Scene
from stages.vlm.pretrain.shapes import KINDS

FRAMES = (
    "where is {}?", "where can {} be seen?", "can you find {}?", "could you show me {}?", "find {}", "locate {}", "point to {}", "show {}",
    "show me {}", "mark {}", "please find {}", "in this image, find {}", "there is {}", "this image shows {}", "{} is visible", "look at {}",
    "where in this image is {}?", "which one is {}?", "identify {}", "note {}", "highlight {}", "indicate {}", "outline {}", "{} is seen",
    "what is the position of {}?", "do you see {}?", "which area shows {}?", "could you point out {}?", "please locate {}", "noted: {}",
    "where do we see {}?", "where are {}?", "attention is drawn to {}", "{} are visible",
)  # fmt: skip


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


def set_in_frame(text: str, rng: np.random.Generator) -> str:
    """The phrase alone, without or with another article, or within a request, a question or a statement."""
    draw = rng.random()
    if text.startswith("the ") and draw < 0.22:
        one = text.split()[1] not in NUMBERS
        text = text[4:] if draw < 0.12 or not one else ("an " if text[4] in "aeiou" else "a ") + text[4:]
    if rng.random() < 0.5:
        return FRAMES[int(rng.integers(len(FRAMES)))].format(text)
    return text


def _name(view: View) -> Phrase | None:
    noun = draw_noun(view, generic=0.05)
    if len(noun.members) == 1:
        return Phrase(view.pick("the ", "the ", "") + noun.text, noun.members, "name")
    return _plural_phrase(view, noun)


def _plural(view: View) -> Phrase | None:
    noun = draw_noun(view)
    return _plural_phrase(view, noun) if len(noun.members) > 1 else None


def _plural_phrase(view: View, noun: Noun) -> Phrase:
    return Phrase(counted(view, noun.plural, len(noun.members)), noun.members, "plural")


def _absent(view: View) -> Phrase | None:
    """Something that is not there: nothing matches the noun, nothing of the kind looks so, or none lies in that place."""
    draw = view.rng.random()
    if draw < 0.35:
        return absent_place(view)
    if draw < 0.6:
        return _absent_look(view)
    things, rng = view.things, view.rng
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


def _absent_look(view: View) -> Phrase | None:
    """A kind that is there, in a form or a shade that clearly none of them has."""
    example = view.things[int(view.rng.integers(len(view.things)))]
    same = [thing for thing in view.things if thing.kind == example.kind]
    noun = view.pick(*KINDS[example.kind].nouns)
    if view.rng.random() < 0.5 and all(thing.shade for thing in same):
        missing = [shade for shade in SHADE_WORDS if all(thing.shade != shade for thing in same)]
        return Phrase(f"the {view.pick(*SHADE_WORDS[missing[0]])} {noun}", (), "none") if missing else None
    form = view.pick(*FORMS)
    if all(FORMS[form][1](thing) for thing in same):
        return Phrase(f"the {view.pick(*FORM_WORDS[form])} {noun}", (), "none")
    return None


def _form(view: View) -> Phrase | None:
    """The round, the elongated or the irregular ones of a kind whose members differ in form."""
    noun = draw_noun(view, generic=0.3)
    if len(noun.members) < 2:
        return None
    form = form_of(view, list(noun.members), view.things[noun.members[int(view.rng.integers(len(noun.members)))]])
    if form is None:
        return None
    fits = tuple(i for i in noun.members if FORMS[form][0](view.things[i]))
    word = view.pick(*FORM_WORDS[form])
    if len(fits) == 1:
        return Phrase(f"the {word} {noun.text}", fits, "form")
    return Phrase(counted(view, f"{word} {noun.plural}", len(fits)), fits, "form_plural") if len(fits) < len(noun.members) else None


WRITERS: dict[str, Callable[[View], Phrase | None]] = {
    "name": _name,
    "plural": _plural,
    "none": _absent,
    "place": placed,
    "extreme": by_place,
    "size": by_size,
    "level": by_level,
    "form": _form,
    "relation": related,
    "both": by_two,
    "edge": edge,
}
