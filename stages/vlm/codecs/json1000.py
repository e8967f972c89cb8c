"""The plain JSON form for families without a native one (SmolVLM, Gemma 3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from stages.vlm.codecs.codec import Codec, Syntax
from stages.vlm.codecs.json_lists import JsonList
from stages.vlm.codecs.spaces import Space, Steps


@dataclass(frozen=True)
class Json1000(Codec):
    """A JSON list of ``{"bbox_2d": [x0, y0, x1, y1], "label": ".."}``, 0-1000 of the original image.

    Coordinates are rounded to whole thousandths. An empty list means no target.
    """

    name: str = "json1000"
    space: Space = field(default_factory=lambda: Steps(1000))
    syntax: Syntax = field(default_factory=lambda: JsonList("bbox_2d"))
