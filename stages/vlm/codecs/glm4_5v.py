"""GLM-4.5V: ``<|begin_of_box|>[x0, y0, x1, y1]<|end_of_box|>``, 0-1000 of the original image; it thinks first.

One box stands alone, several stand in a list of lists between the same marks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stages.vlm.codecs.brackets import BOX, ROW, ROWS, bracket_groups
from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.forms import AnswerForm
from stages.vlm.codecs.interface import NOTHING
from stages.vlm.codecs.numbers import Corners
from stages.vlm.codecs.reading import Reading
from stages.vlm.codecs.spaces import Quad, Steps

_GROUPS: Final = bracket_groups(
    exact=rf"<\|begin_of_box\|>\s*(?:{ROW}|{ROWS})\s*<\|end_of_box\|>",
    marks=r"<\|(?:begin|end)_of_box\|>",
)


@dataclass(frozen=True)
class BoxMarks:
    """One row between the marks, or a list of rows."""

    nothing: str = NOTHING
    thinks: bool = True

    def forms(self, highest: tuple[int, int]) -> tuple[AnswerForm, ...]:
        """See Syntax."""
        numbers, opening, closing = Corners(highest=highest), "<|begin_of_box|>", "<|end_of_box|>"
        one = AnswerForm(numbers, BOX, (opening,), "", (closing,), most=1)
        several = AnswerForm(numbers, BOX, (opening + "[",), ", ", ("]" + closing,), fewest=2)
        return one, several

    def slots(self, quad: Quad) -> tuple[int, ...]:
        """See Syntax."""
        return quad

    def read(self, text: str) -> Reading:
        """See Syntax."""
        return _GROUPS.read(text)


GLM4_5V: Final = Codec("glm4_5v", Steps(1000), BoxMarks())
