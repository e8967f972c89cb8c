"""Qwen3-VL: JSON ``[{"bbox_2d": [x0, y0, x1, y1], "label": ".."}]``, 0-1000 of the original image."""

from __future__ import annotations

from typing import Final

from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.json_lists import JsonList
from stages.vlm.codecs.spaces import Steps

QWEN3: Final = Codec("qwen3", Steps(1000), JsonList("bbox_2d"))
