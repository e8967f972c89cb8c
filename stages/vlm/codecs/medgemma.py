"""MedGemma 1.5: fenced JSON ``[{"box_2d": [y0, x0, y1, x1], "label": ".."}]``, 0-1000 of the square-padded image.

The picture is padded to a square on both sides (``square_padding``) before the processor sees it; numbers count from
the padded picture's corner. A thinking block may come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.groups import YXYX
from stages.vlm.codecs.interface import SeenPx
from stages.vlm.codecs.json_lists import JsonList
from stages.vlm.codecs.spaces import Placed, Quad, Reals, proper, rounded


def square_padding(width: int, height: int) -> tuple[int, int, int]:
    """(side, left, top) of the square that an image of ``width`` x ``height`` pixels is centred in, rounded to the left and top."""
    side = max(width, height)
    return side, (side - width) // 2, (side - height) // 2


@dataclass(frozen=True)
class PaddedSteps:
    """``round((v + padding) / side * steps)`` with the padded square's side.

    Coordinates come back cut at the image's edges. Up to half a step beyond is rounding; a box that reaches further
    into the padding is mended ("padding"), one that lies in it altogether is out of range.
    """

    steps: int

    @property
    def quantum(self) -> float:
        """Half a step, as a share of the image's longer side."""
        return 0.5 / self.steps

    def highest(self, seen_px: SeenPx | None) -> tuple[int, int]:
        """See Space."""
        return self.steps, self.steps

    def numbers(self, box_xyxy_px: Reals, width: int, height: int, seen_px: SeenPx | None) -> Quad:
        """See Space."""
        side, left, top = square_padding(width, height)
        shares = [(value + padding) / side for value, padding in zip(box_xyxy_px, (left, top) * 2, strict=True)]
        return rounded(shares, (self.steps,) * 4)

    def place(self, numbers: Reals, width: int, height: int, seen_px: SeenPx | None) -> Placed | None:
        """See Space."""
        if not proper(numbers, (self.steps, self.steps)):
            return None
        side, left, top = square_padding(width, height)
        raw = [value / self.steps * side - padding for value, padding in zip(numbers, (left, top) * 2, strict=True)]
        box = [min(max(value, 0.0), float(most)) for value, most in zip(raw, (width, height) * 2, strict=True)]
        if box[0] >= box[2] or box[1] >= box[3]:
            return None
        beyond = max(abs(value - kept) for value, kept in zip(raw, box, strict=True))
        return Placed(box, cut=beyond > side / self.steps)


MEDGEMMA: Final = Codec("medgemma", PaddedSteps(1000), JsonList("box_2d", YXYX, fenced=True, thinks=True))
