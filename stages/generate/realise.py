"""Claims to English: a noun phrase from the wordings of words.yaml, set into a frame. No claim is added or left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from stages.core.claims import Claim
from stages.knowledge import words
from stages.knowledge.labels import Label, label

# Terse noun phrase, sentence of a report, clinician's question, request to point.
STYLES = ("phrase", "report", "question", "instruction")
SHARE_PLAIN = 0.55
SHARE_PLAIN_FRAME = 0.4
_LONGEST_INSIDE = 9
# Before a lone verb at the end ("show where the polyp is") only a short phrase reads well.
_LONGEST_BEFORE_VERB = 4
_LONE_VERB = re.compile(r"\} (?:\{is\}|lie)[.?]$")
# Names that are plural without counting anything.
_PLURAL_NOUNS = ("airways", "bronchi")
# Modalities whose pictures show sides of a patient: "left" alone would be ambiguous there.
_WITH_SIDES = frozenset({"CT", "MR", "X-ray"})
_SHARE_IMAGE_NAMED = 0.35
_INDEFINITE = frozenset({"lesion", "finding", "cell", "nerve"})
_OPTIONAL = re.compile(r"\[([^\]]*)\]")
_AN = re.compile(r"(?:[aeio]|un(?!i)|8|11\b|18\b)", re.IGNORECASE)
# Innermost first: what stands nearest to the noun is set before what stands around it.
_ADJECTIVES = ("appearance", "shape", "size_mm")
_BEHIND = ("quadrant", "cell", "image_side", "patient_side", "vertical", "size_mm", "border", "relation")


@dataclass(frozen=True)
class Phrase:
    """A noun phrase without article. ``definite`` where only "the" fits; ``determiner`` is "all ~" and the like for several."""

    text: str
    plural_verb: bool
    definite: bool
    determiner: str | None = None


def realise(claims: Sequence[Claim], modality: str, n_targets: int, of_two: bool, shares: Mapping[str, float], rng: Random) -> tuple[str, str]:
    """(text, style) of an expression for ``n_targets`` objects; ``of_two`` says that a rank chooses among exactly two.

    ``shares`` weighs the styles; nothing is reported of what is not there.

    Raises:
        KeyError: words.yaml or labels.yaml has no wording of a claim; a defect of the vocabulary.
    """
    phrase = noun_phrase(claims, modality, n_targets > 1, of_two, rng)
    styles = {style: shares[style] for style in STYLES if n_targets or style != "report"}
    style = rng.choices(list(styles), list(styles.values()))[0]
    usable = [frame for frame in words.frames()[style] if _fits(frame, phrase)]
    return fill(plain_first(usable, rng, SHARE_PLAIN_FRAME), phrase, words.modality(modality).image, style), style


def _fits(frame: str, phrase: Phrase) -> bool:
    """Whether a frame takes a phrase: its article, its length inside a sentence, and the image named once."""
    indefinite = not phrase.definite and phrase.determiner is None
    lone_verb = _LONE_VERB.search(frame) is not None
    longest = _LONGEST_BEFORE_VERB if lone_verb else _LONGEST_INSIDE
    long_inside = (lone_verb or not frame.rstrip("?.").endswith("}")) and len(phrase.text.split()) > longest
    return (
        ("{a}" not in frame or indefinite)
        and ("{bare}" not in frame or phrase.determiner is None)
        and not long_inside
        and not ("{image}" in frame and "the image" in phrase.text)
    )


def fill(frame: str, phrase: Phrase, image: str, style: str) -> str:
    """The frame with the phrase in it, verbs in agreement; sentences begin with a capital letter."""
    definite = phrase.determiner.replace("~", phrase.text) if phrase.determiner else f"the {phrase.text}"
    text = frame.format(
        the=definite,
        a=f"{article(phrase.text)} {phrase.text}",
        bare=phrase.text,
        image=image,
        **{"is": "are" if phrase.plural_verb else "is", "does": "do" if phrase.plural_verb else "does"},
    )
    return text if style == "phrase" else text[0].upper() + text[1:]


def article(text: str) -> str:
    """The indefinite article by the sound that the text begins with, numbers included ("an 8 mm focus")."""
    return "an" if _AN.match(text) else "a"


def plain_first(wordings: Sequence[str], rng: Random, share: float = SHARE_PLAIN) -> str:
    """The first wording about half the time, so that a small model meets it often; else any of the others."""
    if len(wordings) == 1 or rng.random() < share:
        return wordings[0]
    return rng.choice(wordings[1:])


def noun_phrase(claims: Sequence[Claim], modality: str, several: bool, of_two: bool, rng: Random) -> Phrase:
    """The phrase of all claims: adjectives, noun, rank, then what stands behind the noun, the relation last."""
    entries = [label(name) for name in claims[0].value.split("|")]
    text = _noun(entries, several, any(claim.kind == "rank" for claim in claims), rng)
    plural = several or " and " in text or text.split(" of ")[0].endswith(_PLURAL_NOUNS)
    rest = _with_quadrant([claim for claim in claims[1:] if claim.kind != "count"], rng)
    # "A nodule", but "the optic chiasm": an article that leaves others open fits only where there may be others.
    indefinite = entries[0].kind in _INDEFINITE and entries[0].several
    wordings = {claim: _wording(claim, modality, text, indefinite, of_two, rng) for claim in rest}
    for claim in _in_order(rest, (*_ADJECTIVES, "rank")):
        if claim.kind == "rank" or wordings[claim].endswith("~"):
            text = wordings.pop(claim).replace("~", text)
    behind = [wordings[claim] for claim in _in_order(rest, _BEHIND) if claim in wordings]
    for place, wording in enumerate(behind):
        text = (", " if place else " ").join((text, wording.removeprefix("~ ")))
    relative = any(claim.kind == "rank" or claim.value == "nearest" for claim in rest)
    definite = relative or len(entries) > 1 or not indefinite
    # Beside a side of the patient no bracket is about left or right: "the lowest opacity on the patient's left" is clear.
    of_patient = any(claim.kind == "patient_side" for claim in rest)
    at_edge = any(claim.kind == "border" for claim in rest)
    named = at_edge or not of_patient and (modality in _WITH_SIDES or rng.random() < _SHARE_IMAGE_NAMED)
    return Phrase(_resolved(text, named), plural, definite, _determiner(claims, relative, rng) if several else None)


def _noun(entries: list[Label], several: bool, ranked: bool, rng: Random) -> str:
    if several:
        text = entries[0].pair_plural if len(entries) > 1 else entries[0].plural
        if text is None:
            raise KeyError(f"labels.yaml: {entries[0].name}: no plural for several objects")
        return text
    names = entries[0].names
    # "the second nucleus of the white cell from the left" reads badly.
    return plain_first([name for name in names if not (ranked and (" of " in name or " and " in name))] or names, rng)


def _in_order(claims: Sequence[Claim], kinds: Sequence[str]) -> list[Claim]:
    return [claim for kind in kinds for claim in claims if claim.kind == kind]


def _with_quadrant(claims: list[Claim], rng: Random) -> list[Claim]:
    """Half of the image and side of the image merged: the claims are two, the wording is one."""
    halves = {claim.kind: claim for claim in claims if claim.kind in ("vertical", "image_side")}
    if len(halves) < 2:
        return claims
    merged = Claim("quadrant", f"{halves['vertical'].value} {halves['image_side'].value}")
    return [merged, *(claim for claim in claims if claim not in halves.values())]


def _wording(claim: Claim, modality: str, noun: str, adjectival: bool, of_two: bool, rng: Random) -> str:
    """A wording with ``~`` for what it modifies; brackets are still in it. Adjectives do not repeat a word of the noun."""
    if claim.kind == "relation":
        other = plain_first(label(claim.other or "").names, rng)
        return plain_first(words.phrases()["relation"][claim.value], rng).replace("{other}", other)
    if claim.kind == "size_mm":
        # A lesion is "a 23 mm lesion"; nobody speaks of a 23 mm kidney.
        wordings = [wording for wording in words.phrases()["size_mm"]["about"] if adjectival or wording.startswith("~")]
        return plain_first(wordings, rng).replace("{number}", str(int(claim.number or 0)))
    if claim.kind in ("shape", "appearance") or claim.value.startswith("brightness"):
        adjectives = [word for word in _adjectives(claim, modality) if not set(word.split()) & set(noun.split())]
        return plain_first(adjectives, rng) + " ~"
    of_two_words = words.phrases()["rank_of_two"].get(claim.value) if of_two and claim.kind == "rank" else None
    return plain_first(of_two_words or words.phrases()[claim.kind][claim.value], rng)


def _adjectives(claim: Claim, modality: str) -> list[str]:
    """Adjectives of a shape, of brightness in the modality's own words, or its superlatives."""
    own = words.modality(modality)
    table = {"bright": own.bright, "dark": own.dark, "brightness:1": own.brightest, "brightness:-1": own.darkest}
    return [word for word in {**words.shapes(), **table}[claim.value] if word not in words.read_only(modality)]


def _determiner(claims: Sequence[Claim], relative: bool, rng: Random) -> str:
    if relative:
        return "the ~"
    numbers = [claim.value for claim in claims if claim.kind == "count"]
    return plain_first(words.phrases()["count"][numbers[0] if numbers else "all"], rng)


def _resolved(text: str, named: bool) -> str:
    """The text without brackets. Of all mentions of the image one is kept at most: a fixed one, else the last if ``named``."""
    optional = list(_OPTIONAL.finditer(text))
    fixed = "of the image" in _OPTIONAL.sub("", text)
    keep = optional[-1].start() if named and optional and not fixed else None
    return _OPTIONAL.sub(lambda match: match.group(1) if match.start() == keep else "", text)
