"""Canonical labels: names, kinds, sides, groups, containing structures. Data in ``labels.yaml``."""

from __future__ import annotations

import difflib
import functools
import re
from dataclasses import dataclass
from pathlib import Path

from stages.core.params import build, read_yaml

KINDS = frozenset(
    {"organ", "part", "tissue", "space", "vessel", "nerve", "bone", "muscle", "airway", "lesion", "finding", "device", "cell", "cell_part"}
)
# Kinds of which one picture may show several of one label: always, or unless the label names a single one of them.
ALWAYS_SEVERAL = frozenset({"lesion", "finding", "device", "cell"})
SEVERAL_UNLESS_NAMED = frozenset({"vessel", "nerve", "bone"})
# What a lesion lies in: in "left kidney cyst" the first noun is the place.
ANATOMY_KINDS = frozenset({"organ", "part", "tissue", "space", "vessel", "bone", "muscle", "airway"})


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
        near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.0)
        raise UnknownLabelError(f"unknown label {name!r}; nearest: {', '.join(near)}. Canonical labels stand in stages/knowledge/labels.yaml")
    return known[name]


def canonical(source_name: str) -> Label:
    """The label that a source calls ``source_name``, compared without case, punctuation and underscores.

    Raises:
        UnknownLabelError: no label lists that source name; the nearest ones are named.
    """
    table = _source_table()
    key = _normal(source_name)
    if key not in table:
        near = difflib.get_close_matches(key, list(table), n=3, cutoff=0.0)
        raise UnknownLabelError(f"no canonical label for the source name {source_name!r}; nearest: {', '.join(near)}. Add it under `sources` in stages/knowledge/labels.yaml")
    return label(table[key])


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
