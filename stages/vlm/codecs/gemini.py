"""Gemini (API): JSON ``[{"box_2d": [y0, x0, y1, x1], "label": ".."}]``, y first, 0-1000 of the original image."""

from __future__ import annotations

from typing import Final

from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.groups import YXYX
from stages.vlm.codecs.json_lists import JsonList
from stages.vlm.codecs.spaces import Steps

GEMINI: Final = Codec("gemini", Steps(1000), JsonList("box_2d", YXYX))
