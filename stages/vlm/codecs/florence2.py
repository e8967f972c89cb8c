"""Florence-2: the label and ``<loc_x0><loc_y0><loc_x1><loc_y1>``, 1000 bins of the original image.

Floored into the bin, read back as the bin's centre. Several boxes of a label follow one another, each with its label
here, so that the beginning of a box is one decision. ``<loc_1000>`` does not exist.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.forms import LABEL, AnswerForm
from stages.vlm.codecs.groups import Groups
from stages.vlm.codecs.interface import NOTHING
from stages.vlm.codecs.numbers import Corners
from stages.vlm.codecs.reading import Reading
from stages.vlm.codecs.spaces import Bins, Quad

_TOKEN: Final = r"<loc_([0-9]+)>"
_BOX: Final = r"\s*".join([_TOKEN] * 4)
_WORDS: Final = r"[^<>\n]*"
_GROUPS: Final = Groups(
    exact=re.compile(rf"(?:{_WORDS}{_BOX})+"),
    group=re.compile(_BOX),
    short=re.compile(_TOKEN),
    begun=re.compile(rf"(?:{_TOKEN}\s*){{1,3}}(?:<[loc_0-9]*)?\Z|<loc_[0-9]*\Z"),
    marks=re.compile(r"\s"),
    label_before=re.compile(r"(?:\A|>)\s*([^<>\n]*[^<>\s])\s*(?=<loc_)"),
)


@dataclass(frozen=True)
class NamedTokens:
    """A label, then four location tokens; a missing label is as good."""

    nothing: str = NOTHING
    thinks: bool = False

    def forms(self, highest: tuple[int, int]) -> tuple[AnswerForm, ...]:
        """See Syntax."""
        return (AnswerForm(Corners(highest=highest), (LABEL, "<loc_", 0, "><loc_", 1, "><loc_", 2, "><loc_", 3, ">")),)

    def slots(self, quad: Quad) -> tuple[int, ...]:
        """See Syntax."""
        return quad

    def read(self, text: str) -> Reading:
        """See Syntax."""
        return _GROUPS.read(text)


FLORENCE2: Final = Codec("florence2", Bins(1000), NamedTokens())
