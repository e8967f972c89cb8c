"""PaliGemma 1 and 2: a task prefix in place of a chat, four location tokens and a label in place of a sentence."""

from __future__ import annotations

from typing import Any

from stages.vlm.families.family import Family
from stages.vlm.families.words import referent

IMAGE = "<image>"


def _detect(expression: str) -> str:
    """``;`` separates objects in this family's prompts, so an expression may hold none."""
    return f"detect {referent(expression).replace(';', ',')}"


def _prompt(family: Family, processor: Any, expression: str) -> str:
    """The processor puts the start token and the line end around it."""
    return IMAGE + family.instruction(expression)


PALIGEMMA = Family(
    name="paligemma",
    codec="paligemma",
    instruction=_detect,
    end_token="<eos>",
    model_types=("paligemma",),
    parts={"vision": r"(.*\.)?vision_tower", "connector": r"(.*\.)?multi_modal_projector", "text": r"(.*\.)?language_model"},
    prompt=_prompt,
    # The prefix (0) looks both ways, the answer (1) only back.
    answer_types={"token_type_ids": 1},
)
