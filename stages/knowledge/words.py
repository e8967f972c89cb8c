"""Words of the claim language: thresholds and each modality's own vocabulary. Data in ``words.yaml``."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.claims import Thresholds
from stages.core.params import build, read_yaml


@dataclass(frozen=True)
class ModalityWords:
    """How one modality speaks: its picture's name, adjectives and superlatives of brightness, words only it uses."""

    image: str
    bright: list[str]
    dark: list[str]
    brightest: list[str]
    darkest: list[str]
    own: list[str]


@dataclass(frozen=True)
class TextureLimit:
    """Mean grey difference of neighbouring pixels, and 1.4826 times the median absolute deviation, in grey levels 0-255."""

    texture: float
    spread: float


@dataclass(frozen=True)
class ModalityTextures:
    """An object is homogeneous with both measures at most, heterogeneous with both at least these; None: nothing is said."""

    homogeneous: TextureLimit | None
    heterogeneous: TextureLimit | None


@dataclass(frozen=True)
class Textures:
    """Limits by modality; objects below ``least_px`` pixels have no word, and where texture over spread is above
    ``most_grain`` nothing is heterogeneous, because that is noise."""

    least_px: int
    most_grain: float
    modalities: dict[str, ModalityTextures]


class UnknownModalityError(ValueError):
    """A modality that words.yaml does not know."""


@functools.cache
def _content() -> dict[str, Any]:
    return read_yaml(Path(__file__).parent / "words.yaml", "it is part of this repository: restore it")


@functools.cache
def thresholds() -> Thresholds:
    """Where words begin."""
    return build(Thresholds, _content()["thresholds"], "words.yaml:thresholds")


@functools.cache
def modalities() -> dict[str, ModalityWords]:
    """Vocabulary by modality."""
    return {name: build(ModalityWords, entry, f"words.yaml:{name}") for name, entry in _content()["modalities"].items()}


def modality(name: str) -> ModalityWords:
    """Vocabulary of one modality; UnknownModalityError names the known ones."""
    if name not in modalities():
        raise UnknownModalityError(f"unknown modality {name!r}; known: {', '.join(modalities())}")
    return modalities()[name]


@functools.cache
def textures() -> Textures:
    """From where on an object looks even or uneven inside."""
    return build(Textures, _content()["textures"], "words.yaml:textures")


@functools.cache
def shapes() -> dict[str, list[str]]:
    """Adjectives of each shape."""
    return dict(_content()["shapes"])


@functools.cache
def phrases() -> dict[str, dict[str, list[str]]]:
    """Wordings by claim kind and value, the plain one first; see the section's head in words.yaml."""
    return dict(_content()["phrases"])


@functools.cache
def frames() -> dict[str, list[str]]:
    """What stands around an expression, by style, the plain one first."""
    return dict(_content()["frames"])


@functools.cache
def read_only(modality_name: str) -> frozenset[str]:
    """Words that are read and never written, in any modality or in this one."""
    table = _content()["read_only"]
    return frozenset([*table["any"], *table.get(modality_name, [])])
