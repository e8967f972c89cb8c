"""Florence-2: an encoder-decoder with task prompts; its answers are the decoder's targets.

Weights in the transformers form (hub organisation florence-community); those of microsoft/ need code of their own.
"""

from __future__ import annotations

from typing import Any

from stages.vlm.families.family import Family
from stages.vlm.families.words import referent

TASK = "<OPEN_VOCABULARY_DETECTION>"


def _task(expression: str) -> str:
    return TASK + referent(expression)


def _prompt(family: Family, processor: Any, expression: str) -> str:
    """The processor puts the picture's tokens before it and turns the task into words."""
    return family.instruction(expression)


FLORENCE2 = Family(
    name="florence2",
    codec="florence2",
    instruction=_task,
    end_token="</s>",
    model_types=("florence2",),
    parts={"vision": r"(.*\.)?vision_tower", "connector": r"(.*\.)?multi_modal_projector", "text": r"(.*\.)?language_model"},
    prompt=_prompt,
    opening_token="<s>",
    encoder_decoder=True,
)
