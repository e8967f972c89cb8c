"""Kosmos-2: ``<object><patch_index_0044><patch_index_0863></object>``, upper left and lower right patch of 32 x 32.

Patches are numbered row by row. Several boxes are parted by ``</delimiter_of_multi_objects/>``. A patch is 3 % of the
side: the ceiling for small lesions is terrible (see the table).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.forms import AnswerForm
from stages.vlm.codecs.groups import Groups
from stages.vlm.codecs.interface import NOTHING, SeenPx
from stages.vlm.codecs.numbers import Digits, digits_rule
from stages.vlm.codecs.reading import Reading
from stages.vlm.codecs.spaces import Placed, Quad, Reals, shares_of

SIDE: Final = 32
_TOKEN: Final = r"<patch_index_([0-9]{4})>"
_PAIR: Final = rf"{_TOKEN}\s*{_TOKEN}"
_DELIMITER: Final = "</delimiter_of_multi_objects/>"
_PHRASE: Final = r"<phrase>([^<>]*)</phrase>"


def corners(indices: Sequence[float]) -> tuple[float, ...]:
    """Column and row of the upper left and of the lower right patch."""
    first, last = indices
    return first % SIDE, first // SIDE, last % SIDE, last // SIDE


_GROUPS: Final = Groups(
    exact=re.compile(rf"(?:(?:{_PHRASE}\s*)?<object>\s*{_PAIR}(?:\s*{_DELIMITER}\s*{_PAIR})*\s*</object>\s*)+"),
    group=re.compile(_PAIR),
    short=re.compile(_TOKEN),
    begun=re.compile(rf"{_TOKEN}\s*(?:<[a-z_0-9]*)?\Z|<patch_index_[0-9]*\Z"),
    marks=re.compile(rf"{_PHRASE}|</?object>|{_DELIMITER}|\s"),
    label_before=re.compile(_PHRASE),
    arrange=corners,
)


@dataclass(frozen=True)
class Patches:
    """Numbers are the columns and rows of the two patches, both inside the box's reach.

    Read back as transformers' Kosmos-2 processor does: the patches' centres, or, where both lie in one column or row,
    their outer edges.
    """

    @property
    def quantum(self) -> float:
        """A patch."""
        return 1 / SIDE

    def highest(self, seen_px: SeenPx | None) -> tuple[int, int]:
        """See Space."""
        return SIDE - 1, SIDE - 1

    def numbers(self, box_xyxy_px: Reals, width: int, height: int, seen_px: SeenPx | None) -> Quad:
        """See Space."""
        x0, y0, x1, y1 = (share * SIDE for share in shares_of(box_xyxy_px, width, height))
        near = min(math.floor(x0), SIDE - 1), min(math.floor(y0), SIDE - 1)
        return *near, max(math.ceil(x1) - 1, near[0]), max(math.ceil(y1) - 1, near[1])

    def place(self, numbers: Reals, width: int, height: int, seen_px: SeenPx | None) -> Placed | None:
        """See Space."""
        x0, y0, x1, y1 = numbers
        if not (0 <= x0 <= x1 < SIDE and 0 <= y0 <= y1 < SIDE):
            return None
        near, far = (0.0, 1.0) if x0 == x1 or y0 == y1 else (0.5, 0.5)
        patches = (x0 + near, y0 + near, x1 + far, y1 + far)
        return Placed([patch / SIDE * side for patch, side in zip(patches, (width, height) * 2, strict=True)])


@dataclass(frozen=True)
class PatchIndices(Digits):
    """Slot 0 is the upper left patch, slot 1 the lower right one: not left of it and not above it."""

    padded: int = 4

    def rule(self, slot: int) -> str:
        """See Numbers."""
        return digits_rule(SIDE * SIDE - 1, self.padded)

    def allowed(self, slot: int, earlier: Mapping[int, int]) -> Sequence[range]:
        """See Numbers."""
        if slot == 0:
            return [range(SIDE * SIDE)]
        column, row = earlier[0] % SIDE, earlier[0] // SIDE
        return [range(below * SIDE + column, (below + 1) * SIDE) for below in range(row, SIDE)]


@dataclass(frozen=True)
class PatchPairs:
    """Two patch tokens a box between ``<object>`` marks; a phrase may stand before them."""

    nothing: str = NOTHING
    thinks: bool = False

    def forms(self, highest: tuple[int, int]) -> tuple[AnswerForm, ...]:
        """See Syntax."""
        box = ("<patch_index_", 0, "><patch_index_", 1, ">")
        return (AnswerForm(PatchIndices(), box, ("<object>",), _DELIMITER, ("</object>",)),)

    def slots(self, quad: Quad) -> tuple[int, ...]:
        """See Syntax."""
        x0, y0, x1, y1 = quad
        return y0 * SIDE + x0, y1 * SIDE + x1

    def read(self, text: str) -> Reading:
        """See Syntax."""
        return _GROUPS.read(text)


KOSMOS2: Final = Codec("kosmos2", Patches(), PatchPairs())
