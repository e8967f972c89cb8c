"""The nano base: Idefics3 architecture with Florence-2's location tokens, packed questions (see ``vlm.nano``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stages.vlm.families.family import Family, prompt_text
from stages.vlm.packing import Segment


def _plain_words(text: str) -> str:
    """Lower case without a final full stop: a model of two million weights need not learn that they mean nothing."""
    return " ".join(text.lower().split()).rstrip(" .?!")


NANO = Family(
    name="nano",
    codec="loc1000",
    instruction=_plain_words,
    end_token="<end_of_utterance>",
    model_types=("idefics3",),
    parts={"vision": r"(.*\.)?vision_model", "connector": r"(.*\.)?connector", "text": r"(.*\.)?text_model"},
    packed=True,
)


class PromptTokens:
    """Token ids of prompts and answers, split where the image ends, so that questions can share an image.

    Made from the same ``prompt_text`` as prediction, so the two cannot drift apart.
    """

    def __init__(self, family: Family, processor: Any):
        self._family, self._processor = family, processor
        tokenizer = processor.tokenizer
        self.end_id: int = tokenizer.eos_token_id
        self.pad_id: int = tokenizer.pad_token_id
        self._ids: dict[str, tuple[int, ...]] = {}
        expanded = self._expand(prompt_text(family, processor, "x"))
        self._cut = expanded.rindex(processor.fake_image_token) + len(processor.fake_image_token)
        self.prefix_ids: list[int] = tokenizer(expanded[: self._cut], add_special_tokens=False)["input_ids"]

    def _expand(self, text: str) -> str:
        """The prompt with the image placeholder replaced as the processor does it."""
        return text.replace("<image>", self._processor.replace_image_token({"rows": [[0]], "cols": [[0]]}, 0))

    def token_id(self, token: str) -> int:
        """Id of a token of the vocabulary."""
        return self._processor.tokenizer.convert_tokens_to_ids(token)

    def question(self, expression: str) -> tuple[int, ...]:
        """Ids of the prompt after the image."""
        if expression not in self._ids:
            rest = self._expand(prompt_text(self._family, self._processor, expression))[self._cut :]
            self._ids[expression] = tuple(self._processor.tokenizer(rest, add_special_tokens=False)["input_ids"])
        return self._ids[expression]

    def segment(self, expression: str, boxes_xyxy_px: Sequence[Sequence[float]], width: int, height: int) -> Segment:
        """Question and answer of an example; the answer ends with the end token."""
        answer = self._family.box_codec.encode(boxes_xyxy_px, width, height)
        ids = self._processor.tokenizer(answer, add_special_tokens=False)["input_ids"]
        return Segment(self.question(expression), (*ids, self.end_id))
