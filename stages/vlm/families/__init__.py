"""Model families: how one is loaded, asked and understood. One prompt builder serves training and prediction.

A family is one file with one ``Family`` and one line in ``FAMILIES``.
"""

from __future__ import annotations

from stages.vlm.families.batches import (
    Item,
    answer_ids,
    answer_text,
    end_id,
    generated_ids,
    pad_id,
    prediction_batch,
    read_answer,
    training_batch,
)
from stages.vlm.families.family import PARTS, Family, prompt_text, seen_px
from stages.vlm.families.florence2 import FLORENCE2
from stages.vlm.families.gemma3 import GEMMA3, MEDGEMMA
from stages.vlm.families.internvl3 import INTERNVL3
from stages.vlm.families.layers import linear_layers, target_modules
from stages.vlm.families.nano import NANO, PromptTokens
from stages.vlm.families.paligemma import PALIGEMMA
from stages.vlm.families.qwen2_5_vl import QWEN2_5_VL
from stages.vlm.families.qwen2_vl import QWEN2_VL
from stages.vlm.families.qwen3_vl import QWEN3_VL
from stages.vlm.families.smolvlm import SMOLVLM

FAMILIES: dict[str, Family] = {
    "nano": NANO,
    "qwen2_vl": QWEN2_VL,
    "qwen2_5_vl": QWEN2_5_VL,
    "qwen3_vl": QWEN3_VL,
    "paligemma": PALIGEMMA,
    "florence2": FLORENCE2,
    "internvl3": INTERNVL3,
    "gemma3": GEMMA3,
    "medgemma": MEDGEMMA,
    "smolvlm": SMOLVLM,
}


def find_family(name: str) -> Family:
    """The family of that name.

    Raises:
        ValueError: unknown family; the message lists the known ones.
    """
    if name not in FAMILIES:
        raise ValueError(f"unknown model family {name!r}; known: {', '.join(sorted(FAMILIES))}")
    return FAMILIES[name]


__all__ = [
    "FAMILIES", "PARTS", "Family", "Item", "PromptTokens", "answer_ids", "answer_text", "end_id", "find_family", "generated_ids",
    "linear_layers", "pad_id", "prediction_batch", "prompt_text", "read_answer", "seen_px", "target_modules", "training_batch",
]  # fmt: skip
