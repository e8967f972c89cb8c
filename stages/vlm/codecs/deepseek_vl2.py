"""DeepSeek-VL2: ``<|ref|>label<|/ref|><|det|>[[x0, y0, x1, y1], ..]<|/det|>``, 0-999 of the original image."""

from __future__ import annotations

from typing import Final

from stages.vlm.codecs.brackets import ROWS, BracketLists, bracket_groups
from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.forms import LABEL
from stages.vlm.codecs.spaces import Steps

_GROUPS: Final = bracket_groups(
    exact=rf"(?:<\|ref\|>[^<>]*<\|/ref\|>\s*)?<\|det\|>\s*{ROWS}\s*<\|/det\|>",
    marks=r"<\|ref\|>[^<>]*<\|/ref\|>|<\|/?det\|>",
    label_before=r"<\|ref\|>([^<>]*)<\|/ref\|>",
)
_OPENING: Final = ("<|ref|>", LABEL, "<|/ref|><|det|>[")
DEEPSEEK_VL2: Final = Codec("deepseek_vl2", Steps(999), BracketLists(_OPENING, "]<|/det|>", _GROUPS))
