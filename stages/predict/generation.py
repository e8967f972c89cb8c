"""Greedy batched generation and what is read out of it: text, boxes, scores.

Prompts are padded on the left, so that a batch is rectangular and answers start together, and share a key-value cache.
A batch gives what its members give one by one (a test compares them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from stages.core.stage import StageError
from stages.predict.asks import Ask
from stages.predict.batching import answer_limit
from stages.predict.confidence import box_scores, written_ends
from stages.predict.grammar import BoxGrammar, Session
from stages.predict.steering import Steering, Trace
from stages.vlm.codecs import Decoded
from stages.vlm.families import Family, Item, end_id, generated_ids, pad_id, prediction_batch, read_answer, seen_px
from stages.vlm.families.batches import token_id

if TYPE_CHECKING:
    from PIL.Image import Image

# Digits that are the same whatever the machine's order of summing.
SCORE_DIGITS = 5


@dataclass(frozen=True)
class Answer:
    """The raw text, what the codec reads in it, a score per box (see ``confidence``), tokens with the end token.

    ``n_steered`` counts the tokens at which the constraint overruled the model.
    """

    ask: Ask
    text: str
    decoded: Decoded
    scores: list[float]
    n_tokens: int
    n_steered: int


class Pointer:
    """A model that is ready to answer: greedy, in batches, within the grammar of its codec where that is wanted."""

    def __init__(self, model: Any, processor: Any, family: Family, max_boxes: int, constrained: bool) -> None:
        """``model`` is in evaluation mode on its device; ``processor`` and ``family`` are its own."""
        self.model, self.processor, self.family = model, processor, family
        self.max_boxes, self.constrained = max_boxes, constrained
        self.limit = answer_limit(family, processor, max_boxes, constrained)
        self._opening = [] if family.opening_token is None else [token_id(processor, family.opening_token)]
        vocabulary = model.config.get_text_config().vocab_size
        # Compiled without the constraint as well: the scores need its location tokens, and it costs little.
        self._grammar = BoxGrammar(family.box_codec, processor.tokenizer, vocabulary, end_id(family, processor), max_boxes)

    def write(self, asks: Sequence[Ask], pictures: Sequence[Image]) -> list[Trace]:
        """The tokens of one batch of answers.

        Raises:
            StageError: the accelerator's memory does not suffice.
        """
        items = [Item(ask.expression, picture, None, "") for ask, picture in zip(asks, pictures, strict=True)]
        batch = _on_device(prediction_batch(self.family, self.processor, items), self.model)
        prompt_length = 1 if self.family.encoder_decoder else batch["input_ids"].shape[1]
        sizes = [(ask.width, ask.height) for ask in asks]
        session = Session(self._grammar, [self._seen(ask) for ask in asks], sizes) if self.constrained else None
        steering = Steering(session, self._grammar.locations, prompt_length, self._opening)
        try:
            with torch.inference_mode():
                sequences = self.model.generate(**batch, generation_config=self._greedy(), logits_processor=[steering])
        except torch.OutOfMemoryError as error:
            raise StageError(
                f"{self.model.device} ran out of memory at a batch of {len(asks)} examples with prompts of "
                f"{batch['input_ids'].shape[1]} tokens: lower predict.batch_tokens (or predict.batch_size) in params.yaml"
            ) from error
        return steering.traces(generated_ids(self.family, batch, sequences).cpu(), end_id(self.family, self.processor))

    def read(self, ask: Ask, trace: Trace) -> Answer:
        """What the tokens of an answer say."""
        text, n_tokens = read_answer(self.family, self.processor, trace.tokens)
        decoded = self.family.box_codec.decode(text, ask.width, ask.height, self._seen(ask))
        around = {end_id(self.family, self.processor), pad_id(self.processor), *self._opening}
        ends = written_ends(self.processor.tokenizer, trace.tokens, around)
        scores = box_scores(text, ends, trace.chances, len(decoded.boxes_xyxy_px))
        return Answer(ask, text, decoded, [float(f"{score:.{SCORE_DIGITS}g}") for score in scores], n_tokens, sum(trace.steered))

    def answer(self, asks: Sequence[Ask], pictures: Sequence[Image]) -> list[Answer]:
        """One batch, written and read."""
        return [self.read(ask, trace) for ask, trace in zip(asks, self.write(asks, pictures), strict=True)]

    def _seen(self, ask: Ask) -> tuple[int, int]:
        return seen_px(self.family, self.processor, ask.width, ask.height)

    def _greedy(self) -> Any:
        """Greedy decoding, with none of the penalties that a model's own settings may hold: they bend coordinates."""
        from transformers import GenerationConfig

        return GenerationConfig(
            max_new_tokens=self.limit,
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            eos_token_id=end_id(self.family, self.processor),
            pad_token_id=pad_id(self.processor),
            use_cache=True,
        )


def _on_device(batch: dict[str, Any], model: Any) -> dict[str, Any]:
    """The batch on the model's device, pixels in its precision."""
    moved = {}
    for key, value in batch.items():
        if torch.is_tensor(value):
            value = value.to(model.device, dtype=model.dtype if torch.is_floating_point(value) else None)
        moved[key] = value
    return moved
