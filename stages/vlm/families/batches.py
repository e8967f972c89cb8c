"""Batches of any family: the same prompts for training and for prediction, answers learned and nothing else.

A batch for training is made of the batch for prediction: its prompts, stripped of their padding, each followed by its
answer. So the two see the same prompt tokens and the same pixels by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stages.vlm.families.family import Family, prompt_text, seen_px
from stages.vlm.families.words import spoken
from stages.vlm.packing import IGNORE

if TYPE_CHECKING:
    from PIL.Image import Image

# Tensors of a batch that have one value a token; the others (pixels, grids) belong to the pictures.
PER_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")


@dataclass(frozen=True)
class Item:
    """One question about an RGB picture.

    ``boxes_xyxy_px`` (original pixels) is None when the answer is not known. ``label``, as the tables have
    it, is what the codec writes beside a box in words, where its syntax has a label; "" leaves the codec's own word.
    """

    expression: str
    picture: Image
    boxes_xyxy_px: Sequence[Sequence[float]] | None
    label: str


def token_id(processor: Any, token: str) -> int:
    """Id of a token.

    Raises:
        ValueError: the tokenizer does not know it, so the family does not fit the model.
    """
    found = processor.tokenizer.convert_tokens_to_ids(token)
    if found is None or (found == processor.tokenizer.unk_token_id and token != processor.tokenizer.unk_token):
        raise ValueError(f"the tokenizer has no token {token!r}: the model is of another family; correct `family` in its card")
    return int(found)


def end_id(family: Family, processor: Any) -> int:
    """Id of the token that closes every answer: give it to ``generate`` as ``eos_token_id``."""
    return token_id(processor, family.end_token)


def pad_id(processor: Any) -> int:
    """Id of the padding token; give it to ``generate`` as ``pad_token_id``."""
    return int(processor.tokenizer.pad_token_id)


def answer_text(family: Family, processor: Any, item: Item) -> str:
    """The answer that an item teaches, in the family's codec.

    Raises:
        ValueError: the item has no answer, or a box that the codec cannot write.
    """
    if item.boxes_xyxy_px is None:
        raise ValueError(f"no boxes are known for {item.expression!r}: an item to train on needs them (an empty list means no target)")
    width, height = item.picture.size
    seen = seen_px(family, processor, width, height)
    return family.box_codec.encode(item.boxes_xyxy_px, width, height, seen_px=seen, label=spoken(item.label) or None)


def answer_ids(family: Family, processor: Any, item: Item) -> list[int]:
    """Token ids of an item's answer, the end token included."""
    ids = processor.tokenizer(answer_text(family, processor, item), add_special_tokens=False)["input_ids"]
    opening = [] if family.opening_token is None else [token_id(processor, family.opening_token)]
    return [*opening, *ids, end_id(family, processor)]


def prediction_batch(family: Family, processor: Any, items: Sequence[Item]) -> dict[str, Any]:
    """Tensors for ``generate``: prompts padded on the left, so that answers start together.

    An encoder-decoder's encoder counts its positions from the left, so there the padding is on the right.
    """
    encoded = processor(
        text=[prompt_text(family, processor, item.expression) for item in items],
        images=[[family.prepare(item.picture)] for item in items],
        padding=True,
        # The prompt is whole: a tokenizer that adds a start token of its own would add a second one.
        add_special_tokens=False,
        padding_side="right" if family.encoder_decoder else "left",
        return_tensors="pt",
    )
    return {key: value for key, value in encoded.items() if key != "labels"}


def training_batch(family: Family, processor: Any, items: Sequence[Item]) -> dict[str, Any]:
    """Tensors for a training step: prompts, answers and ``labels``, which are -100 everywhere but in the answers.

    Prompt and answer of a decoder stand in one sequence, padded on the right; the answers of an encoder-decoder are
    the decoder's targets.

    Raises:
        ValueError: see ``answer_text``.
    """
    batch = prediction_batch(family, processor, items)
    answers = [answer_ids(family, processor, item) for item in items]
    if family.encoder_decoder:
        return {**batch, "labels": _padded(answers, IGNORE)}
    seen = batch["attention_mask"].bool()
    fills = {"input_ids": pad_id(processor)}
    joined = {}
    for key in (key for key in PER_TOKEN if key in batch):
        prompts = [row[mask].tolist() for row, mask in zip(batch[key], seen, strict=True)]
        endings = answers if key == "input_ids" else [[_answer_value(family, key)] * len(answer) for answer in answers]
        joined[key] = _padded([prompt + ending for prompt, ending in zip(prompts, endings, strict=True)], fills.get(key, 0))
    labels = [[IGNORE] * int(mask.sum()) + answer for mask, answer in zip(seen, answers, strict=True)]
    return {**batch, **joined, "labels": _padded(labels, IGNORE)}


def _answer_value(family: Family, key: str) -> int:
    return 1 if key == "attention_mask" else family.answer_types.get(key, 0)


def _padded(rows: Sequence[Sequence[int]], fill: int) -> Any:
    """Rows as one int64 tensor (rows, longest), filled up on the right."""
    import torch

    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows], dtype=torch.int64)


def generated_ids(family: Family, batch: dict[str, Any], sequences: Any) -> Any:
    """What ``generate`` added (rows, length) to a ``prediction_batch``: without the prompt, or the decoder's start token."""
    return sequences[:, 1:] if family.encoder_decoder else sequences[:, batch["input_ids"].shape[1] :]


def read_answer(family: Family, processor: Any, tokens: Sequence[int]) -> tuple[str, int]:
    """Text of generated token ids for the codec, and how many tokens the answer has with its end token.

    Box tokens count as special in some vocabularies, so only what surrounds an answer is taken away: everything from
    the end token on, padding, and the opening token.
    """
    end = end_id(family, processor)
    length = tokens.index(end) + 1 if end in tokens else len(tokens)
    around = {end, pad_id(processor)}
    if family.opening_token is not None:
        around.add(token_id(processor, family.opening_token))
    kept = [token for token in tokens[:length] if token not in around]
    return processor.tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False), length


__all__ = [
    "PER_TOKEN", "Item", "answer_ids", "answer_text", "end_id", "generated_ids", "pad_id", "prediction_batch", "read_answer", "seen_px",
    "token_id", "training_batch",
]  # fmt: skip
