"""What every reader promises."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stages.core.params import IngestParams
from stages.ingest.card import Card
from stages.ingest.cases import Case, Found
from stages.ingest.faults import Fault
from stages.ingest.objects import ObjectMask
from stages.ingest.privacy import KeyKind, key_kind


@dataclass(frozen=True)
class Source:
    """Where and how to read: card, folder, gates, and the kind of key that ids are hashed with (``privacy``)."""

    card: Card
    root: Path
    limits: IngestParams
    key: KeyKind = field(default_factory=key_kind)


@dataclass(frozen=True)
class Picture:
    """One picture with its objects, in the pixels of the source.

    ``pixels`` is uint8 (height, width) grey or (height, width, 3) RGB, row 0 at the top; ``spacing_mm`` [row, column]
    or None. ``incomplete`` are labels whose absence proves nothing here, because one of their masks was faulty. ``png``
    are these pixels as PNG bytes where the source's own are fit to be stored.
    """

    view: str
    pixels: np.ndarray
    spacing_mm: list[float] | None
    image_left_is: str | None
    plane: str | None
    slice_index: int | None
    transform: dict[str, Any]
    objects: list[ObjectMask]
    incomplete: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    png: bytes | None = None


@dataclass(frozen=True)
class Reading:
    """Pictures of one case, and faults of single masks that did not cost the whole case.

    ``dropped`` counts the identifying attributes that the case's files state and that no output carries, by keyword.
    """

    pictures: list[Picture]
    faults: list[Fault]
    dropped: Counter[str] = field(default_factory=Counter)


class Reader(Protocol):
    """One source format.

    Axes: pictures and masks are arrays [row, column], row 0 at the top, as displayed. Volumes are brought to LPS
    and cut so that the patient's right lies at the picture's left (axial, coronal); the reader states
    ``image_left_is`` from the header, or from the card for plain pictures. Spacing: [row, column] in mm, None when
    the format has none. Labels: every object carries a canonical label of the card; a source name that the card
    does not know is a fault. A mask has exactly the size of its picture; nothing is resampled to fit.
    """

    def find(self, card: Card, root: Path) -> Found:
        """Cases of the folder, with faults of items that cannot become a case and files that nothing explains."""
        ...

    def read(self, case: Case, source: Source) -> Reading:
        """Decode one case.

        Raises:
            Fault: the case as a whole cannot be used.
        """
        ...
