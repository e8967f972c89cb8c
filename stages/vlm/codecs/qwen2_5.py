"""Qwen2.5-VL: JSON ``[{"bbox_2d": [x0, y0, x1, y1], "label": ".."}]`` in whole pixels of the picture that the model sees.

That picture is what its processor's smart_resize makes of the original (``seen_px``): multiples of 28 pixels between
min_pixels and max_pixels, which must be the same in training and in prediction. Numbers read as pixels of the
original are the most common mistake of fine-tunings; the ceiling table says what it costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.interface import SeenPx
from stages.vlm.codecs.json_lists import JsonList
from stages.vlm.codecs.spaces import Placed, Quad, Reals, proper, rounded, shares_of

_SMALLEST_SIDE_PX: Final = 28


@dataclass(frozen=True)
class SeenPixels:
    """``round(v / side * seen side)``: whole pixels of the resized picture."""

    @property
    def quantum(self) -> float:
        """Half a pixel of the smallest picture that the processor makes; half a pixel of ``seen_px`` in general."""
        return 0.5 / _SMALLEST_SIDE_PX

    def highest(self, seen_px: SeenPx | None) -> tuple[int, int]:
        """See Space."""
        if seen_px is None or min(seen_px) < 1:
            raise ValueError(
                f"seen_px is {seen_px}: this codec counts pixels of the picture after the processor's resize; "
                "pass its (width, height), see stages.vlm.families.batches.seen_px"
            )
        return seen_px

    def numbers(self, box_xyxy_px: Reals, width: int, height: int, seen_px: SeenPx | None) -> Quad:
        """See Space."""
        return rounded(shares_of(box_xyxy_px, width, height), self.highest(seen_px) * 2)

    def place(self, numbers: Reals, width: int, height: int, seen_px: SeenPx | None) -> Placed | None:
        """See Space."""
        seen = self.highest(seen_px)
        if not proper(numbers, seen):
            return None
        return Placed([value / most * side for value, most, side in zip(numbers, seen * 2, (width, height) * 2, strict=True)])


QWEN2_5: Final = Codec("qwen2_5", SeenPixels(), JsonList("bbox_2d"))
