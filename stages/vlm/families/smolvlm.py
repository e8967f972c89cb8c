"""SmolVLM (Idefics3 classes) and SmolVLM2 (its own): no box format of their own, so JSON in thousandths of the whole picture."""

from __future__ import annotations

from stages.vlm.families.family import Family
from stages.vlm.families.words import locate_in_json

SMOLVLM = Family(
    name="smolvlm",
    codec="json1000",
    instruction=locate_in_json,
    end_token="<end_of_utterance>",
    model_types=("idefics3", "smolvlm"),
    parts={"vision": r"(.*\.)?vision_model", "connector": r"(.*\.)?connector", "text": r"(.*\.)?text_model"},
    settings={
        "longest_edge": lambda value: {"size": {"longest_edge": value}},
        "do_image_splitting": lambda value: {"do_image_splitting": value},
    },
    needs=("torchvision", "num2words"),
)
