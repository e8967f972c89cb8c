"""InternVL 2.5 and 3: ``<ref>label</ref><box>[[x0, y0, x1, y1], ..]</box>``, 0-1000 of the original image."""

from __future__ import annotations

from typing import Final

from stages.vlm.codecs.brackets import ROWS, BracketLists, bracket_groups
from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.forms import LABEL
from stages.vlm.codecs.spaces import Steps

_GROUPS: Final = bracket_groups(
    exact=rf"(?:<ref>[^<>]*</ref>\s*)?<box>\s*{ROWS}\s*</box>",
    marks=r"<ref>[^<>]*</ref>|</?box>",
    label_before=r"<ref>([^<>]*)</ref>",
)
INTERNVL: Final = Codec("internvl", Steps(1000), BracketLists(("<ref>", LABEL, "</ref><box>["), "]</box>", _GROUPS))
