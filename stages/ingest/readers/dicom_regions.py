"""What DICOM masks have in common: named regions on the slices of a grid, and which of their names the card knows."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

import numpy as np

from stages.ingest.card import Card
from stages.ingest.faults import Fault
from stages.ingest.objects import ANY_SOURCE, labels_by_source


@dataclass
class Region:
    """One segment of a SEG or one structure of an RTSTRUCT.

    ``names`` are what a card may call it, the most telling first: its label, its codes as SCHEME:VALUE, its number.
    ``masks`` holds boolean masks (rows, columns) by slice number of the grid, only where there is foreground.
    """

    names: list[str]
    number: int
    masks: dict[int, np.ndarray] = field(default_factory=dict)

    def add(self, index: int, mask: np.ndarray) -> None:
        """Unite a slice's mask with what is there."""
        if mask.any():
            self.masks[index] = self.masks[index] | mask if index in self.masks else mask


def source_of(region: Region, card: Card, file: str, private: bool) -> str:
    """The first of a region's names that the card knows, in the card's words.

    With ``private`` the fault names codes and numbers only, since a label is free text that somebody typed.

    Raises:
        Fault: the card knows none of them.
    """
    table = labels_by_source(card)
    for name in region.names:
        if name in table:
            return name
    if ANY_SOURCE in table:
        return str(region.number)
    shown = [name for name in region.names if ":" in name and " " not in name or name.isdigit()] if private else region.names
    near = ", ".join(difflib.get_close_matches(region.names[0], list(table), n=3, cutoff=0.0))
    hidden = " (its label is not shown here: `python -m stages.ingest.readers.dicom_identity ROOT NAME` prints it)" if private else ""
    cause = f"segment {' = '.join(map(repr, shown))}{hidden} is not in the card {card.name}; nearest: {near}. "
    raise Fault("unknown_label", file, cause + "Add one of its names there under `labels` or `ignored_sources`")


def code_names(scheme: str, value: str) -> list[str]:
    """A code as SCHEME:VALUE, and the same thing in SNOMED CT where the scheme is the retired SRT."""
    names = [f"{scheme}:{value}"]
    if scheme in ("SRT", "SNM3", "99SDM"):
        from pydicom.sr._snomed_dict import mapping

        names += [f"SCT:{mapping['SRT'][value]}"] if value in mapping["SRT"] else []
    return names
