"""Gemma 3 and MedGemma 1, which have no box format of their own, and MedGemma 1.5, which has one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from stages.vlm.codecs.medgemma import square_padding
from stages.vlm.families.family import Family
from stages.vlm.families.words import locate_in_json, referent

if TYPE_CHECKING:
    from PIL.Image import Image


def square_padded(picture: Image) -> Image:
    """The picture in the middle of a black square of its longer side, where the codec counts from."""
    from PIL import Image as image_module

    side, left, top = square_padding(*picture.size)
    square = image_module.new("RGB", (side, side))
    square.paste(picture, (left, top))
    return square


def _instruction(expression: str) -> str:
    return (
        f"Locate {referent(expression)}. Answer with a JSON list in a code fence: box_2d as [y0, x0, y1, x1] from 0 to 1000, and label. "
        "Left and right are the patient's. If there is none, answer with an empty list."
    )


GEMMA3 = Family(
    name="gemma3",
    codec="json1000",
    instruction=locate_in_json,
    end_token="<end_of_turn>",
    model_types=("gemma3",),
    parts={"vision": r"(.*\.)?vision_tower", "connector": r"(.*\.)?multi_modal_projector", "text": r"(.*\.)?language_model"},
    settings={"do_pan_and_scan": lambda value: {"do_pan_and_scan": value}},
)

MEDGEMMA = dataclasses.replace(GEMMA3, name="medgemma", codec="medgemma", instruction=_instruction, prepare=square_padded, settings={})
