"""Qwen2.5-VL and what is built on it: boxes in pixels of the picture after ``smart_resize``."""

from __future__ import annotations

from stages.vlm.families.family import Family
from stages.vlm.families.pixel_limits import PIXEL_SETTINGS, qwen_seen
from stages.vlm.families.words import locate_in_json

# Sides of the resized picture are multiples of it: patches of 14 pixels, merged two by two, in every published model.
FACTOR = 28

QWEN2_5_VL = Family(
    name="qwen2_5_vl",
    codec="qwen2_5",
    instruction=locate_in_json,
    end_token="<|im_end|>",
    model_types=("qwen2_5_vl",),
    parts={"vision": r"(.*\.)?visual\.blocks", "connector": r"(.*\.)?visual\.merger", "text": r"(.*\.)?language_model"},
    seen=qwen_seen,
    settings=PIXEL_SETTINGS,
    needs=("torchvision",),
)
