"""Qwen3-VL: boxes in thousandths of the original picture, as JSON."""

from __future__ import annotations

from stages.vlm.families.family import Family
from stages.vlm.families.pixel_limits import PIXEL_SETTINGS, qwen_seen
from stages.vlm.families.words import locate_in_json

QWEN3_VL = Family(
    name="qwen3_vl",
    codec="qwen3",
    instruction=locate_in_json,
    end_token="<|im_end|>",
    model_types=("qwen3_vl",),
    parts={
        "vision": r"(.*\.)?visual\.blocks",
        "connector": r"(.*\.)?visual\.(merger|deepstack_merger_list)",
        "text": r"(.*\.)?language_model",
    },
    seen=qwen_seen,
    settings=PIXEL_SETTINGS,
    needs=("torchvision",),
)
