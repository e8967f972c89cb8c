"""InternVL 3 (the -hf weights): boxes in thousandths of the whole picture, whatever tiles it is cut into."""

from __future__ import annotations

from stages.vlm.families.family import Family
from stages.vlm.families.words import referent


def _instruction(expression: str) -> str:
    phrase = f"<ref>{referent(expression)}</ref>"
    return f"Please provide the bounding box coordinates of the region this sentence describes: {phrase}. If there is none, answer none."


INTERNVL3 = Family(
    name="internvl3",
    codec="internvl",
    instruction=_instruction,
    end_token="<|im_end|>",
    model_types=("internvl",),
    parts={"vision": r"(.*\.)?vision_tower", "connector": r"(.*\.)?multi_modal_projector", "text": r"(.*\.)?language_model"},
    # 1: the whole picture only; more: tiles of it too. The processor does not heed crop_to_patches from a card.
    settings={"max_patches": lambda value: {"max_patches": value}},
    needs=("torchvision",),
)
