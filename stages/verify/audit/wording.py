"""Words of an accepted text: where its noun stands, which words carry a claim, what may stand in their place."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from stages.core.claims import Claim
from stages.core.params import read_yaml
from stages.knowledge import words
from stages.knowledge.labels import labels
from stages.verify.audit.plant import Ground, swapped

_OPTIONAL = re.compile(r"\[([^\]]*)\]")


@functools.cache
def fault_words() -> dict[str, Any]:
    """The content of faults.yaml."""
    return read_yaml(Path(__file__).parent / "faults.yaml", "it is part of this repository: restore it")


def names_of(value: str) -> list[str]:
    """Names of a label ("a|b" for several), singular and plural, longest first."""
    found: set[str] = set()
    for name in value.split("|"):
        entry = labels()[name]
        found |= {*entry.names, *filter(None, (entry.plural, entry.pair_plural))}
    return sorted(found, key=lambda name: (-len(name), name))


def noun_in(text: str, value: str) -> str | None:
    """The name of the label that stands in the text exactly once; None when there is none."""
    return next((name for name in names_of(value) if swapped(text, name, name) is not None), None)


def noun_of(ground: Ground) -> str | None:
    """The name of what the query is about, as it stands in its text."""
    value = next((claim.value for claim in ground.claims if claim.kind == "label"), None)
    return None if value is None else noun_in(ground.query.text, value)


def before_noun(ground: Ground, adjective: str) -> str | None:
    """The text with an adjective before its noun."""
    noun = noun_of(ground)
    text = None if noun is None else swapped(ground.query.text, noun, f"{adjective} {noun}")
    return None if text is None else re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)


def after_noun(ground: Ground, phrase: str) -> str | None:
    """The text with a phrase behind its noun."""
    noun = noun_of(ground)
    return None if noun is None else swapped(ground.query.text, noun, f"{noun} {phrase}")


def without_claim(text: str, claim: Claim, modality: str) -> str | None:
    """The text without the words that carry a claim; None when they are not found."""
    for parts in _carriers(claim, modality):
        left: str | None = text
        for part in parts:
            left = None if left is None else swapped(left, part, "")
        if left is not None:
            return re.sub(r"\s+([.?,])", r"\1", left)
    return None


def _carriers(claim: Claim, modality: str) -> Iterator[tuple[str, ...]]:
    """Literal parts of the wordings of a claim, the longest first."""
    if claim.kind == "shape":
        templates = [f"{word} ~" for word in words.shapes()[claim.value]]
    elif claim.kind == "appearance":
        entry = words.modality(modality)
        templates = [f"{word} ~" for word in (entry.bright if claim.value == "bright" else entry.dark)]
    elif claim.kind == "rank" and claim.value.startswith("brightness"):
        entry = words.modality(modality)
        templates = [f"{word} ~" for word in (entry.darkest if claim.value.endswith("-1") else entry.brightest)]
    else:
        table = words.phrases()
        value = "about" if claim.kind == "size_mm" else claim.value
        templates = [*table.get(claim.kind, {}).get(value, []), *(table["rank_of_two"].get(value, []) if claim.kind == "rank" else [])]
    others = names_of(claim.other) if claim.other else [""]
    filled = {
        variant.replace("{other}", other).replace("{number}", f"{claim.number or 0:g}")
        for template, other in product(templates, others)
        for variant in (_OPTIONAL.sub("", template), _OPTIONAL.sub(r"\1", template))
    }
    yield from (tuple(part for part in map(str.strip, text.split("~")) if part) for text in sorted(filled, key=lambda text: (-len(text), text)))


def opposites(text: str, kind: str) -> Iterator[tuple[str, str, str]]:
    """(text, old word, new word) for every pair of opposites of the kind of which the text holds one word."""
    for a, b in fault_words()["opposites"][kind]:
        for old, new in ((a, b), (b, a)):
            changed = swapped(text, old, new)
            if changed is not None:
                yield changed, old, new
