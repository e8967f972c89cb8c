"""MedGemma 1.5: fenced JSON ``[{"box_2d": [y0, x0, y1, x1], "label": ".."}]``, 0-1000 of the square-padded image.

The picture is padded to a square on both sides (``square_padding``) before the processor sees it; numbers count from
the padded picture's corner. A thinking block may come first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.forms import AnswerForm
from stages.vlm.codecs.groups import YXYX
from stages.vlm.codecs.interface import SeenPx
from stages.vlm.codecs.json_lists import JsonList
from stages.vlm.codecs.numbers import Corners
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
        # A whole step may come out a little longer, because the numbers are floats.
        return Placed(box, cut=beyond > side / self.steps * (1 + 1e-9))

    def within(self, width: int, height: int) -> tuple[range, range, range, range]:
        """The numbers of x0, y0, x1, y1 with which a box comes back whole: not empty, and at most a step in the padding."""
        side, left, top = square_padding(width, height)
        (near_x, far_x), (near_y, far_y) = self._edges(left, width, side), self._edges(top, height, side)
        return near_x, near_y, far_x, far_y

    def _edges(self, padding: int, length: int, side: int) -> tuple[range, range]:
        """Numbers of a near and of a far edge: ``n * side / steps - padding`` is below ``length``, or above 0."""
        first, last = padding * self.steps, (padding + length) * self.steps
        lowest, most = max(0, -(-first // side) - 1), min(self.steps, last // side + 1)
        return range(lowest, -(-last // side)), range(first // side + 1, most + 1)


@dataclass(frozen=True)
class PaddedCodec(Codec):
    """A codec in a padded space: with the image's size, ``possible`` keeps its boxes out of the padding."""

    space: PaddedSteps

    def forms(self, seen_px: SeenPx | None, size_px: tuple[int, int] | None) -> Sequence[AnswerForm]:
        """See Codec."""
        forms = super().forms(seen_px, size_px)
        if size_px is None:
            return forms
        within = self.space.within(*size_px)
        return [replace(form, numbers=replace(form.numbers, within=within)) if isinstance(form.numbers, Corners) else form for form in forms]


MEDGEMMA: Final = PaddedCodec("medgemma", PaddedSteps(1000), JsonList("box_2d", YXYX, fenced=True, thinks=True))
