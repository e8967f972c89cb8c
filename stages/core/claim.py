"""One claim: what a referring expression says about its target, as data. ``core.claims`` executes claims on an image.

Kinds and values
    label         canonical label; "a|b" for either of two (a pair: "both kidneys")
    image_side    left | right half of the picture, by the centroid
    patient_side  left | right of the patient; undecidable where the orientation is unknown
    vertical      upper | lower half of the picture
    cell          centre | upper left | upper right | lower left | lower right: cell of the 3 x 3 grid (centre, corners)
    rank          "size:1" largest, "size:-1" smallest, "size:2" second largest, "size:1-2" the two largest; likewise
                  x (1 = leftmost in the picture), y (1 = topmost), brightness (1 = brightest on average)
    shape         round | elongated | irregular | hollow (encloses a part of the background: a ring)
    appearance    bright | dark: against the ring around the object
    relation      to ``other``, a label ("a|b" for either of two):
                  left_of | right_of | above | below (in the picture)
                  anterior_to | posterior_to | superior_to | inferior_to (of the body; undecidable where the plane hides it)
                  medial_to | lateral_to (nearer to, farther from the patient's midline on the same side)
                  inside | containing | touching | nearest | farthest
                  larger_than | smaller_than (area) | brighter_than | darker_than (mean grey level)
                  between: ``other`` is "a&b", or one label of which there are two
    border        left | right | top | bottom: touches that edge of the picture; any: touches one of them
    zone          upper | middle | lower third, medial | lateral half, central | peripheral part of the organ that holds
                  it; ``other`` names the organ or is None
    midline       crosses: reaches across the patient's midline
    size_mm       greatest diameter is about | above | below ``number`` millimetres
    count         the expression speaks of ``number`` objects

A value that begins with "not " is the negation ("not touching", "not round"), of every kind but label, rank and count.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

# Kinds that the writers of queries use, and those that are only read in texts of others.
KINDS = (
    "label", "image_side", "patient_side", "vertical", "cell", "rank", "shape", "appearance", "relation", "border",
    "size_mm", "count",
)  # fmt: skip
READ_ONLY_KINDS = ("zone", "midline")
ALL_KINDS = (*KINDS, *READ_ONLY_KINDS)
RANK_ATTRIBUTES = ("size", "x", "y", "brightness")
DIRECTIONS = {"left_of": (1, 0), "right_of": (-1, 0), "above": (0, 1), "below": (0, -1)}
NOT = "not "
OPPOSITE = {
    "left": "right", "right": "left", "upper": "lower", "lower": "upper", "bright": "dark", "dark": "bright",
    "left_of": "right_of", "right_of": "left_of", "above": "below", "below": "above", "top": "bottom", "bottom": "top",
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Claim:
    """One claim; see the module's table of kinds."""

    kind: str
    value: str
    other: str | None = None
    number: float | None = None

    def to_json(self) -> str:
        """Compact JSON with sorted keys; absent fields are left out."""
        fields = {"kind": self.kind, "value": self.value, "other": self.other, "number": self.number}
        return json.dumps({key: value for key, value in fields.items() if value is not None}, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Claim:
        """The claim of ``to_json``; a ValueError for an unknown kind."""
        fields = json.loads(text)
        if fields.get("kind") not in ALL_KINDS:
            raise ValueError(f"unknown claim kind {fields.get('kind')!r}; known: {', '.join(ALL_KINDS)}")
        return Claim(**fields)

    @property
    def negated(self) -> bool:
        """Whether it says what is not so."""
        return self.value.startswith(NOT)


def is_relative(claim: Claim) -> bool:
    """Whether the claim ranks anchors against each other."""
    return claim.kind == "rank" or (claim.kind == "relation" and claim.value in ("nearest", "farthest"))
