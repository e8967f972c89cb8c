"""Box codecs: the only place where a ``box_xyxy_px`` becomes a model family's text and comes back.

Every codec states its space, its order and what it does with text that is not an answer. A box is never guessed
from malformed text: ``Decoded.outcome`` says what happened, and the evaluator counts it against the model.
"""

from __future__ import annotations

from stages.vlm.codecs.codec import Codec
from stages.vlm.codecs.deepseek_vl2 import DEEPSEEK_VL2
from stages.vlm.codecs.florence2 import FLORENCE2
from stages.vlm.codecs.gemini import GEMINI
from stages.vlm.codecs.glm4_5v import GLM4_5V
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
from stages.vlm.codecs.internvl import INTERNVL
from stages.vlm.codecs.json1000 import Json1000
from stages.vlm.codecs.kosmos2 import KOSMOS2
from stages.vlm.codecs.loc1000 import BINS, BOX_MARK, LOCATION_TOKENS, Loc1000, loc_bins
from stages.vlm.codecs.medgemma import MEDGEMMA, square_padding
from stages.vlm.codecs.molmo import MOLMO
from stages.vlm.codecs.paligemma import PALIGEMMA
from stages.vlm.codecs.qwen2 import QWEN2
from stages.vlm.codecs.qwen2_5 import QWEN2_5
from stages.vlm.codecs.qwen3 import QWEN3

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
    "square_padding",
]

CODECS: dict[str, BoxCodec] = {
    "loc1000": Loc1000(),
    "json1000": Json1000(),
    "qwen2": QWEN2,
    "qwen2_5": QWEN2_5,
    "qwen3": QWEN3,
    "internvl": INTERNVL,
    "paligemma": PALIGEMMA,
    "florence2": FLORENCE2,
    "medgemma": MEDGEMMA,
    "gemini": GEMINI,
    "molmo": MOLMO,
    "kosmos2": KOSMOS2,
    "glm4_5v": GLM4_5V,
    "deepseek_vl2": DEEPSEEK_VL2,
}
