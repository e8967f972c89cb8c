"""Canonical labels: names, kinds, sides, containing structures. Data in ``labels.yaml``."""

from __future__ import annotations

import difflib
import functools
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from stages.core.params import build

SEVERAL_KINDS = frozenset({"lesion", "finding", "vessel", "nerve", "bone", "device", "cell"})


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
    inside: list[str] | None = None
    expect: str | None = None
    length_mm: list[float] | None = None

    @property
    def several(self) -> bool:
        """Whether one image may hold several objects of the label, so that a semantic mask is split into components.

        A label that lies on a stated or expected place (an organ, one aorta, one vertebra of a slice) is one object.
        """
        return self.kind in SEVERAL_KINDS and self.expect is None


@functools.cache
def labels() -> dict[str, Label]:
    """All canonical labels by name."""
    content = yaml.safe_load((Path(__file__).parent / "labels.yaml").read_text(encoding="utf-8"))
    return {name: build(Label, {"name": name, **fields}, f"labels.yaml:{name}") for name, fields in content.items()}


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
