"""Boxes in square brackets between a family's marks (InternVL, DeepSeek-VL2, GLM-4.5V)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from stages.vlm.codecs.forms import AnswerForm, Part
from stages.vlm.codecs.groups import NUMBER, Groups
from stages.vlm.codecs.interface import NOTHING
from stages.vlm.codecs.numbers import Corners
from stages.vlm.codecs.reading import Reading
from stages.vlm.codecs.spaces import Quad

BRACKETS: Final = rf"\[{NUMBER},{NUMBER},{NUMBER},{NUMBER}\]"
ROW: Final = BRACKETS.replace("(-?", "(?:-?")
ROWS: Final = rf"\[\s*{ROW}(?:\s*,\s*{ROW})*\s*\]"
BOX: Final[tuple[Part, ...]] = ("[", 0, ", ", 1, ", ", 2, ", ", 3, "]")


def bracket_groups(exact: str, marks: str, label_before: str | None = None) -> Groups:
    """Groups of bracketed rows; ``exact`` is one labelled list, which an answer repeats; ``marks`` are the family's own."""
    return Groups(
        exact=re.compile(rf"(?:{exact}\s*)+"),
        group=re.compile(BRACKETS),
        short=re.compile(rf"\[{NUMBER}(?:,{NUMBER})*\]"),
        begun=re.compile(r"\[\s*-?[0-9][-0-9.,\s]*\Z"),
        marks=re.compile(rf"{marks}|[\[\],\s]"),
        label_before=re.compile(label_before) if label_before else None,
    )


@dataclass(frozen=True)
class BracketLists:
    """``opening [[x0, y0, x1, y1], ..] closing``, read by ``groups``."""

    opening: tuple[Part, ...]
    closing: str
    groups: Groups
    nothing: str = NOTHING
    thinks: bool = False

    def forms(self, highest: tuple[int, int]) -> tuple[AnswerForm, ...]:
        """See Syntax."""
        return (AnswerForm(Corners(highest=highest), BOX, self.opening, ", ", (self.closing,)),)

    def slots(self, quad: Quad) -> tuple[int, ...]:
        """See Syntax."""
        return quad

    def read(self, text: str) -> Reading:
        """See Syntax."""
        return self.groups.read(text)
