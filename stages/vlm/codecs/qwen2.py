"""Qwen2-VL: ``<|box_start|>(x0,y0),(x1,y1)<|box_end|>`` for each box, 0-1000 of the original image.

A referring answer is the box alone; a phrase in ``<|object_ref_start|>`` marks may stand before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.forms import AnswerForm
from stages.vlm.codecs.groups import NUMBER, Groups
from stages.vlm.codecs.interface import NOTHING
from stages.vlm.codecs.numbers import Corners
from stages.vlm.codecs.reading import Reading
from stages.vlm.codecs.spaces import Quad, Steps

_PAIR: Final = rf"\({NUMBER},{NUMBER}\)"
_BOX: Final = rf"{_PAIR}\s*,?\s*{_PAIR}"
_PHRASE: Final = r"<\|object_ref_start\|>([^<>]*)<\|object_ref_end\|>"
_GROUPS: Final = Groups(
    exact=re.compile(rf"(?:(?:{_PHRASE}\s*)?<\|box_start\|>\s*{_BOX}\s*<\|box_end\|>\s*)+"),
    group=re.compile(_BOX),
    short=re.compile(_PAIR),
    begun=re.compile(rf"(?:{_PAIR}\s*,?\s*)?\(\s*-?[0-9][-0-9.,\s]*\Z|{_PAIR}[\s,(]*\Z"),
    marks=re.compile(rf"{_PHRASE}|<\|box_(?:start|end)\|>|[\s,]"),
    label_before=re.compile(_PHRASE),
)


@dataclass(frozen=True)
class BoxPairs:
    """Two corners in parentheses between the marks."""

    nothing: str = NOTHING
    thinks: bool = False

    def forms(self, highest: tuple[int, int]) -> tuple[AnswerForm, ...]:
        """See Syntax."""
        return (AnswerForm(Corners(highest=highest), ("<|box_start|>(", 0, ",", 1, "),(", 2, ",", 3, ")<|box_end|>")),)

    def slots(self, quad: Quad) -> tuple[int, ...]:
        """See Syntax."""
        return quad

    def read(self, text: str) -> Reading:
        """See Syntax."""
        return _GROUPS.read(text)


QWEN2: Final = Codec("qwen2", Steps(1000), BoxPairs())
