"""Canonical labels: names, kinds, sides, groups, containing structures. Data in ``labels.yaml``."""

from __future__ import annotations

import difflib
import functools
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from stages.core.params import build, read_yaml

KINDS = frozenset({"organ", "part", "tissue", "space", "vessel", "nerve", "bone", "muscle", "airway", "lesion", "finding", "device", "cell", "cell_part"})
# Kinds of which one picture may show several of one label: always, or unless the label names a single one of them.
ALWAYS_SEVERAL = frozenset({"lesion", "finding", "device", "cell"})
SEVERAL_UNLESS_NAMED = frozenset({"vessel", "nerve", "bone"})
# What a lesion lies in: in "left kidney cyst" the first noun is the place.
ANATOMY_KINDS = frozenset({"organ", "part", "tissue", "space", "vessel", "bone", "muscle", "airway"})

# What is offered for an unknown name: so many by spelling (difflib's ratio at least), so many by shared words.
_SPELLED, _ALIKE, _SHARED = 3, 0.6, 4


class UnknownLabelError(ValueError):
    """A label that labels.yaml does not know."""


@dataclass(frozen=True)
class Label:
    """One canonical label; see the head of labels.yaml for the fields."""

    name: str
    kind: str
    names: list[str]
    sources: list[str]
    plural: str | None = None
    side: str | None = None
    pair: str | None = None
    pair_plural: str | None = None
    group: str | None = None
    single: bool | None = None
    inside: list[str] | None = None
    expect: str | None = None
    length_mm: list[float] | None = None

    @property
    def several(self) -> bool:
        """Whether one image may hold several objects of the label, so that a semantic mask is split into components.

        ``single`` decides where it is given. A label on an expected place (an organ, one aorta, one vertebra of a slice)
        is one object, and so is a bone, vessel or nerve that its name singles out (the left femur, the third lumbar vertebra).
        """
        if self.single is not None:
            return not self.single
        named = self.side is not None or self.group is not None
        return self.expect is None and (self.kind in ALWAYS_SEVERAL or (self.kind in SEVERAL_UNLESS_NAMED and not named))

    @property
    def says_side(self) -> bool:
        """Whether the name itself speaks of left or right, of the patient's body ("left kidney") or not ("left ventricle")."""
        return bool({"left", "right"} & set(self.names[0].split()))


@functools.cache
def labels() -> dict[str, Label]:
    """All canonical labels by name."""
    content = read_yaml(Path(__file__).parent / "labels.yaml", "it is part of this repository: restore it")
    return {name: build(Label, {"name": name, **fields}, f"labels.yaml:{name}") for name, fields in content.items()}


@functools.cache
def members(name: str) -> tuple[str, ...]:
    """The label itself and the labels that are one of it (``group``), in the order of labels.yaml."""
    return (name, *(entry.name for entry in labels().values() if entry.group == name))


def label(name: str) -> Label:
    """The label of a canonical name.

    Raises:
        UnknownLabelError: names the nearest canonical labels.
    """
    known = labels()
    if name not in known:
        raise UnknownLabelError(f"unknown label {name!r}; {_advice(name)}")
    return known[name]


def canonical(source_name: str) -> Label:
    """The label that a source calls ``source_name``, compared without case, punctuation and underscores.

    Raises:
        UnknownLabelError: no label lists that source name; the nearest ones are named.
    """
    table = _source_table()
    key = _normal(source_name)
    if key not in table:
        raise UnknownLabelError(f"no canonical label for the source name {source_name!r}; {_advice(source_name)}")
    return label(table[key])


def nearest_labels(name: str) -> list[str]:
    """Canonical labels nearest to a name: by spelling, then by the words that they share with it (the rarest word first).

    The words of a label are those of all its names and sources and of the structures that contain it, so that "renal" finds
    what is called by the kidney, and "hepatic focus" what lies in the liver.
    """
    spelled = {_normal(alias): entry for entry in labels() for alias in (entry, *labels()[entry].names)}
    close = [spelled[key] for key in difflib.get_close_matches(_normal(name), list(spelled), n=_SPELLED, cutoff=_ALIKE)]
    wanted = {_singular(word) for word in _normal(name).split()}
    frequency = Counter(word for words in _words_of_labels().values() for word in words)
    shared = {entry: sum(1 / frequency[word] for word in words & wanted) for entry, words in _words_of_labels().items() if words & wanted}
    akin = sorted(shared, key=lambda entry: (-shared[entry], len(entry), entry))[:_SHARED]
    return list(dict.fromkeys([*close, *akin])) or difflib.get_close_matches(name, list(labels()), n=_SPELLED, cutoff=0.0)


def _advice(name: str) -> str:
    return (
        f"nearest: {', '.join(nearest_labels(name))}. If none of these is meant, add a label to stages/knowledge/labels.yaml "
        "(kind, names, sources; its head explains the fields); never take a wider one, which would teach a wrong word"
    )


@functools.cache
def _words_of_labels() -> dict[str, set[str]]:
    """Every label's words in the singular: those of its names, sources and containers."""
    return {
        name: {_singular(word) for text in (name, *entry.names, *entry.sources, *(entry.inside or ())) for word in _normal(text).split()} for name, entry in labels().items()
    }


def _singular(word: str) -> str:
    return word.removesuffix("s") if len(word) > 3 else word


@functools.cache
def _source_table() -> dict[str, str]:
    table: dict[str, str] = {}
    for name, entry in labels().items():
        for alias in {name, *entry.sources}:
            if table.setdefault(_normal(alias), name) != name:
                raise UnknownLabelError(f"labels.yaml: {alias!r} stands for both {table[_normal(alias)]!r} and {name!r}")
    return table


def _normal(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
