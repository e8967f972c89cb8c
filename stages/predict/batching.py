"""Which questions share a batch: those of like length, as many as the token budget bears."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stages.predict.asks import Ask
from stages.vlm.codecs.forms import LONGEST_LABEL
from stages.vlm.families import Family, Item, prediction_batch, prompt_text

# Room for an answer that does not keep to the form: prose around the boxes, or a label in other words.
_SLACK_FACTOR, _SLACK_TOKENS = 2, 16


class PromptLengths:
    """Tokens of a question's prompt with its picture. What a picture adds depends on its size alone and is counted once."""

    def __init__(self, family: Family, processor: Any) -> None:
        self._family, self._processor = family, processor
        self._of_picture: dict[tuple[int, int], int] = {}

    def __call__(self, ask: Ask) -> int:
        """Length in tokens."""
        size = (ask.width, ask.height)
        if size not in self._of_picture:
            self._of_picture[size] = self._whole(size) - self._text("x")
        return self._text(ask.expression) + self._of_picture[size]

    def _text(self, expression: str) -> int:
        return len(self._processor.tokenizer(prompt_text(self._family, self._processor, expression), add_special_tokens=False)["input_ids"])

    def _whole(self, size: tuple[int, int]) -> int:
        from PIL import Image

        return int(prediction_batch(self._family, self._processor, [Item("x", Image.new("RGB", size), None, "")])["input_ids"].shape[1])


def answer_limit(family: Family, processor: Any, max_boxes: int, constrained: bool) -> int:
    """Most tokens that an answer may take: the longest in the family's form, and room for one that keeps to no form.

    A constrained answer keeps to the form, with labels of any length that the grammar bears, and may spell it in
    shorter pieces: then its characters are the limit, a whole location token counting as one.
    """
    boxes = [[100.0 + n, 100.0 + n, 990.0 + n / 100, 999.0] for n in range(max_boxes)]
    label = "x" * LONGEST_LABEL if constrained else None
    text = family.box_codec.encode(boxes, 1000, 1000, (1000, 1000), label)
    pieces = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    if not constrained:
        return _SLACK_FACTOR * len(pieces) + _SLACK_TOKENS
    added = set(processor.tokenizer.get_added_vocab().values())
    whole = [piece for piece in pieces if piece in added]
    spelled = len(text) - sum(len(processor.tokenizer.decode([piece])) for piece in whole)
    return len(whole) + spelled + _SLACK_TOKENS


def batches(asks: Sequence[Ask], length_of: Callable[[Ask], int], answer_tokens: int, batch_size: int, batch_tokens: int) -> list[list[Ask]]:
    """Questions in batches, longest first, so that a batch that is too large fails at once and not at the end.

    A batch holds at most ``batch_size`` questions and ``batch_tokens`` tokens: questions times the longest prompt and
    answer. A question that is longer than that stands alone.
    """
    lengths = {ask.key: length_of(ask) for ask in asks}
    ordered = sorted(asks, key=lambda ask: (-lengths[ask.key], ask.key))
    made: list[list[Ask]] = []
    room = 0
    for ask in ordered:
        if not made or len(made[-1]) >= room:
            made.append([])
            room = max(1, min(batch_size, batch_tokens // (lengths[ask.key] + answer_tokens)))
        made[-1].append(ask)
    return made
