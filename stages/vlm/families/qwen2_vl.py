"""Qwen2-VL: boxes in thousandths of the picture between its own box tokens."""

from __future__ import annotations

from stages.vlm.families.family import Family
from stages.vlm.families.pixel_limits import PIXEL_SETTINGS, qwen_seen
from stages.vlm.families.words import referent


def _instruction(expression: str) -> str:
    return f"Detect the bounding box of <|object_ref_start|>{referent(expression)}<|object_ref_end|>. If there is none, answer none."


QWEN2_VL = Family(
    name="qwen2_vl",
    codec="qwen2",
    instruction=_instruction,
    end_token="<|im_end|>",
    model_types=("qwen2_vl",),
    parts={"vision": r"(.*\.)?visual\.blocks", "connector": r"(.*\.)?visual\.merger", "text": r"(.*\.)?language_model"},
    seen=qwen_seen,
    settings=PIXEL_SETTINGS,
    needs=("torchvision",),
)
