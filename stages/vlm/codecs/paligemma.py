"""PaliGemma 1 and 2: ``<loc0000>`` x 4 (y0, x0, y1, x1) and the label, boxes parted by `` ; ``; ``round(v / side * 1023)``.

1024 tokens, 1023 steps between them: many decoders divide by 1024 and shift every box to the top left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.forms import LABEL, AnswerForm
from stages.vlm.codecs.groups import YXYX, Groups, arranged
from stages.vlm.codecs.interface import NOTHING
from stages.vlm.codecs.numbers import Corners
from stages.vlm.codecs.reading import Reading
from stages.vlm.codecs.spaces import Quad, Steps

_TOKEN: Final = r"<loc([0-9]{4})>"
_BOX: Final = r"\s*".join([_TOKEN] * 4)
_WORDS: Final = r"[^<>;\n]*"
_GROUPS: Final = Groups(
    exact=re.compile(rf"{_BOX}{_WORDS}(?:;\s*{_BOX}{_WORDS})*"),
    group=re.compile(_BOX),
    short=re.compile(_TOKEN),
    begun=re.compile(rf"(?:{_TOKEN}\s*){{1,3}}(?:<[loc0-9]*)?\Z|<loc[0-9]*\Z"),
    marks=re.compile(rf"(?<= ){_WORDS}(?:;|\Z)|\s"),
    label_after=re.compile(rf"({_WORDS})"),
    arrange=partial(arranged, order=YXYX),
)


@dataclass(frozen=True)
class LabelledTokens:
    """Four location tokens, a space and the label; a missing label is as good."""

    nothing: str = NOTHING
    thinks: bool = False
    groups: Groups = field(default=_GROUPS, repr=False)

    def forms(self, highest: tuple[int, int]) -> tuple[AnswerForm, ...]:
        """See Syntax."""
        box = ("<loc", 1, "><loc", 0, "><loc", 3, "><loc", 2, "> ", LABEL)
        return (AnswerForm(Corners(padded=4, highest=highest), box, separator=" ; "),)

    def slots(self, quad: Quad) -> tuple[int, ...]:
        """See Syntax."""
        return quad

    def read(self, text: str) -> Reading:
        """See Syntax."""
        return self.groups.read(text)


PALIGEMMA: Final = Codec("paligemma", Steps(1023), LabelledTokens())
