"""The nano base: Florence-2's location tokens with a mark before each box."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from stages.vlm.codecs.codec import Codec, Syntax
from stages.vlm.codecs.forms import AnswerForm
from stages.vlm.codecs.groups import number
from stages.vlm.codecs.interface import NOTHING
from stages.vlm.codecs.numbers import Corners
from stages.vlm.codecs.reading import MALFORMED, WRONG_COUNT, Reading
from stages.vlm.codecs.spaces import Bins, Quad, Space

BINS: Final = 1000
BOX_MARK: Final = "<box>"
LOCATION_TOKENS: tuple[str, ...] = tuple(f"<loc_{index}>" for index in range(BINS))
_TOKEN = re.compile(r"<loc_([0-9]+)>")
_EXACT = re.compile(r"(?:(?:<box>\s*)?(?:<loc_[0-9]+>\s*){4})+")


@dataclass(frozen=True)
class MarkedTokens:
    """``<box><loc_x0><loc_y0><loc_x1><loc_y1>``; a missing mark is as good, a misplaced one is mended."""

    nothing: str = NOTHING
    thinks: bool = False

    def forms(self, highest: tuple[int, int]) -> tuple[AnswerForm, ...]:
        """See Syntax."""
        box = (BOX_MARK + "<loc_", 0, "><loc_", 1, "><loc_", 2, "><loc_", 3, ">")
        return (AnswerForm(Corners(highest=highest), box),)

    def slots(self, quad: Quad) -> tuple[int, ...]:
        """See Syntax."""
        return quad

    def read(self, text: str) -> Reading:
        """See Syntax."""
        numbers = [number(found) for found in _TOKEN.findall(text)]
        if len(numbers) < 4:
            return WRONG_COUNT if numbers else MALFORMED
        boxes: list[tuple[float, ...]] = [tuple(numbers[at : at + 4]) for at in range(0, len(numbers) - 3, 4)]
        labels = [""] * len(boxes)
        if len(numbers) % 4:
            return Reading(boxes, labels, ("cut_off",))
        if _EXACT.fullmatch(text.strip()):
            return Reading(boxes, labels)
        rest = _TOKEN.sub("", text).replace(BOX_MARK, "").strip()
        return Reading(boxes, labels, ("words_around",) if rest else ("marks",))


@dataclass(frozen=True)
class Loc1000(Codec):
    """Florence-2's location tokens: ``<loc_x0><loc_y0><loc_x1><loc_y1>``, 1000 bins of the original image, xyxy.

    Coordinates are floored into their bin and come back as the bin's centre (the floor alone loses half a bin on
    average). Boxes follow one another in reading order; no box is the word "none". Each box is announced by
    ``<box>``, as Florence-2 announces it by a label: whether there is a box is then one token's decision. Left to
    the first location token, "none" wins every greedy choice, because a place's chance is shared by many bins.
    """

    name: str = "loc1000"
    space: Space = field(default_factory=lambda: Bins(BINS))
    syntax: Syntax = field(default_factory=MarkedTokens)


def loc_bins(box: Sequence[float], width: int, height: int) -> list[int]:
    """The four bins of a box: floor(v / side * 1000), the far edge of the image in the last bin.

    A box thinner than a bin is widened to two neighbouring bins, so that it does not come back empty.
    """
    return list(Bins(BINS).numbers(box, width, height, None))
