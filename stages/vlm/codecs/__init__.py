"""Box codecs: the only place where a ``box_xyxy_px`` becomes a model family's text and comes back.

Every codec states its space, its order and what it does with text that is not an answer. A box is never guessed
from malformed text: ``Decoded.outcome`` says what happened, and the evaluator counts it against the model.
"""

from __future__ import annotations

from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.interface import (
    NOTHING,
    OUTCOMES,
    REPAIRS,
    TARGET,
    BoxCodec,
    Decoded,
    DecodedPoints,
    Metric,
    Outcome,
    Repair,
    SeenPx,
    check_boxes,
    reading_order,
)
from stages.vlm.codecs.json1000 import Json1000
from stages.vlm.codecs.loc1000 import BINS, BOX_MARK, LOCATION_TOKENS, Loc1000, loc_bins

__all__ = [
    "BINS",
    "BOX_MARK",
    "CODECS",
    "LOCATION_TOKENS",
    "NOTHING",
    "OUTCOMES",
    "REPAIRS",
    "TARGET",
    "BoxCodec",
    "Codec",
    "Decoded",
    "DecodedPoints",
    "Json1000",
    "Loc1000",
    "Metric",
    "Outcome",
    "Repair",
    "SeenPx",
    "check_boxes",
    "loc_bins",
    "reading_order",
]

CODECS: dict[str, BoxCodec] = {"loc1000": Loc1000(), "json1000": Json1000()}
