"""Greedy batched generation and what is read out of it: text, boxes, scores.

Prompts are sorted by length and padded on the left, so that a batch is rectangular and answers start together; the
order of the results is that of the inputs. A batch gives what its members give one by one (a test compares them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stages.vlm.codecs import LOCATION_TOKENS, Decoded
from stages.vlm.families import Family, prompt_text

if TYPE_CHECKING:
    from PIL.Image import Image

TOKENS_PER_BOX = 4


@dataclass(frozen=True)
class Ask:
    """One question: its id, the expression and the size of the original picture in pixels."""

    ask_id: str
    expression: str
    width: int
    height: int


@dataclass(frozen=True)
class Answer:
    """The raw text, what the codec reads in it, a score per box (mean chance of its tokens), tokens with the end token."""

    ask_id: str
    text: str
    decoded: Decoded
    scores: list[float]
    n_tokens: int


def answer_all(
    model: Any, processor: Any, family: Family, asks: Sequence[Ask], picture_of: Callable[[str], Image], batch_size: int, max_boxes: int
) -> Iterator[Answer]:
    """Answers in the order of the batches (longest prompts first); ``picture_of`` gives the RGB picture of an ask's id."""
    lengths = {ask.ask_id: len(processor.tokenizer(prompt_text(family, processor, ask.expression))["input_ids"]) for ask in asks}
    ordered = sorted(asks, key=lambda ask: (-lengths[ask.ask_id], ask.ask_id))
    for start in range(0, len(ordered), batch_size):
        batch = ordered[start : start + batch_size]
        yield from _answer_batch(model, processor, family, batch, [picture_of(ask.ask_id) for ask in batch], max_boxes)


def _answer_batch(
    model: Any, processor: Any, family: Family, asks: Sequence[Ask], pictures: Sequence[Image], max_boxes: int
) -> Iterable[Answer]:
    import torch

    prompts = [prompt_text(family, processor, ask.expression) for ask in asks]
    inputs = processor(text=prompts, images=[[picture] for picture in pictures], padding=True, padding_side="left", return_tensors="pt").to(
        model.device
    )
    with torch.inference_mode():
        output = model.generate(
            **inputs,
            max_new_tokens=max_boxes * (TOKENS_PER_BOX + 1) + 1,
            do_sample=False,
            num_beams=1,
            output_logits=True,
            return_dict_in_generate=True,
        )
    tokens = output.sequences[:, inputs["input_ids"].shape[1] :].cpu()
    chances = torch.stack([step.float().softmax(dim=-1) for step in output.logits], dim=1).cpu()
    chosen = chances.gather(2, tokens[:, :, None])[:, :, 0]
    return [_read(processor, family, ask, tokens[row].tolist(), chosen[row].tolist()) for row, ask in enumerate(asks)]


def _read(processor: Any, family: Family, ask: Ask, tokens: list[int], chances: list[float]) -> Answer:
    end = processor.tokenizer.eos_token_id
    n_tokens = tokens.index(end) + 1 if end in tokens else len(tokens)
    tokens, chances = tokens[:n_tokens], chances[:n_tokens]
    text = processor.tokenizer.decode(tokens, skip_special_tokens=True)
    decoded = family.box_codec.decode(text, ask.width, ask.height)
    return Answer(ask.ask_id, text, decoded, box_scores(processor, tokens, chances, len(decoded.boxes_xyxy_px)), n_tokens)


def box_scores(processor: Any, tokens: Sequence[int], chances: Sequence[float], n_boxes: int) -> list[float]:
    """Mean chance of each box's tokens; for a codec without location tokens the mean of the whole answer for every box."""
    first = processor.tokenizer.convert_tokens_to_ids(LOCATION_TOKENS[0])
    pointing = [chance for token, chance in zip(tokens, chances, strict=True) if first <= token < first + len(LOCATION_TOKENS)]
    if len(pointing) < n_boxes * TOKENS_PER_BOX:
        pointing = [sum(chances) / max(len(chances), 1)] * (n_boxes * TOKENS_PER_BOX)
    return [sum(pointing[4 * n : 4 * n + 4]) / TOKENS_PER_BOX for n in range(n_boxes)]
