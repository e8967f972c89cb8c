"""The blocks of a card: files, labels, tables, intensities, and what single readers need to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LabelSource:
    """How the source marks one canonical label.

    ``sources`` are grey values, palette indices, colours ("#ff0000"), file-name parts or class names; several unite
    into one object. ``semantic`` is true when one mask may hold several objects, false when it is one object. The
    source ``"*"`` is every value of a label map that no other entry names, background apart; with ``semantic: false``
    each such value is one instance.
    """

    sources: list[Any]
    semantic: bool


@dataclass(frozen=True)
class FilePatterns:
    """Paths below the root, with ``{part}`` or ``{part:regex}`` for what varies and ``*`` for anything; the first that fits wins.

    Parts that images and masks share tie them together. ``{case}`` is needed; ``{patient}`` and ``{view}`` are taken
    up when present; in mask patterns ``{label}`` is the structure. ``other`` are known files that are no data.
    """

    image: list[str]
    mask: list[str]
    other: list[str]


@dataclass(frozen=True)
class CropTable:
    """Masks that are cropped to their object, placed by the columns of a CSV table (pixels of the whole image)."""

    table: str
    image: str
    mask: str
    label: str
    top: str
    left: str
    width: str
    height: str
    resolution: str


@dataclass(frozen=True)
class ImageTable:
    """A CSV table with one row per image: columns of the image (path or file name), the patient, the licence (or null).

    ``split`` is the column of the official split, ``pixel_mm`` that of the pixel size (square pixels, in mm).
    """

    table: str
    image: str
    patient: str | None
    licence: str | None
    split: str | None = None
    pixel_mm: str | None = None


@dataclass(frozen=True)
class Intensity:
    """How grey values become 8 bit.

    ``kind``: stored (as they are; wider pictures by percentiles), window (CT: ``level`` and ``width`` in HU, or the
    name of a window of ``knowledge/windows.yaml`` as ``preset``) or percentiles (``low`` and ``high`` in percent, of
    the whole volume).
    """

    kind: str
    preset: str | None = None
    level: float | None = None
    width: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class SlicePolicy:
    """Which slices of a volume become samples, where the set needs other numbers than ``ingest`` in params.yaml.

    ``per_volume`` and ``per_label`` are upper bounds; two chosen slices lie at least ``min_gap`` slices apart.
    """

    per_volume: int | None = None
    per_label: int | None = None
    min_gap: int | None = None
