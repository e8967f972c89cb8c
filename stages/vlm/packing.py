"""Several questions about one image in one sequence: the image is read once, the questions do not see each other.

Row layout: prefix (the image's tokens) | question 1, answer 1 | question 2, answer 2 | ... | padding. Positions
restart after the prefix for every question, and the attention mask lets a token see the prefix and the earlier
tokens of its own segment. Each question is thus computed as if it stood alone; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

IGNORE = -100
PADDING_SEGMENT = -1


@dataclass(frozen=True)
class Segment:
    """One question and its answer as token ids; the answer ends with the end token."""

    question_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.question_ids) + len(self.answer_ids)


def pack_rows(prefix_ids: Sequence[int], rows: Sequence[Sequence[Segment]], pad_id: int) -> dict[str, Any]:
    """Token arrays of a batch of rows, each of shape (rows, length), int64.

    ``segments``: 0 for the prefix, 1.. for the questions, -1 for padding. ``labels`` hold the answers only.
    """
    start = len(prefix_ids)
    length = start + max(sum(len(segment) for segment in row) for row in rows)
    batch = {
        "input_ids": np.full((len(rows), length), pad_id, np.int64),
        "position_ids": np.zeros((len(rows), length), np.int64),
        "segments": np.full((len(rows), length), PADDING_SEGMENT, np.int64),
        "labels": np.full((len(rows), length), IGNORE, np.int64),
    }
    for index, row in enumerate(rows):
        batch["input_ids"][index, :start] = prefix_ids
        batch["position_ids"][index, :start] = np.arange(start)
        batch["segments"][index, :start] = 0
        at = start
        for number, segment in enumerate(row, start=1):
            end, answer_at = at + len(segment), at + len(segment.question_ids)
            batch["input_ids"][index, at:end] = segment.question_ids + segment.answer_ids
            batch["position_ids"][index, at:end] = start + np.arange(len(segment))
            batch["segments"][index, at:end] = number
            batch["labels"][index, answer_at:end] = segment.answer_ids
            at = end
    return batch


def attention_of(segments: Any) -> Any:
    """Additive attention mask (rows, 1, length, length), float32, of a ``segments`` tensor: 0 where a token may look.

    Additive, because the eager attention of transformers adds whatever mask it is given, a boolean one too.
    """
    import torch

    length = segments.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    same = segments[:, :, None] == segments[:, None, :]
    seen = earlier & (same | (segments == 0)[:, None, :])
    return torch.zeros(seen.shape, device=segments.device).masked_fill(~seen, torch.finfo(torch.float32).min)[:, None]


def answer_logits(model: Any, batch: dict[str, Any], image_outputs: Any = None) -> tuple[Any, Any]:
    """Logits (answers, vocabulary) where an answer token is due, and those tokens (answers,).

    ``model`` is an Idefics3ForConditionalGeneration, with or without an adapter around it; ``batch`` holds the
    tensors of ``pack_rows`` and ``pixel_values`` (rows, 1, 3, side, side). Logits elsewhere are never computed.
    """
    core = model.get_base_model() if hasattr(model, "peft_config") else model
    extra = {"pixel_values": batch["pixel_values"]} if image_outputs is None else {"mm_encoder_outputs": {"image": image_outputs}}
    output = core.model(
        input_ids=batch["input_ids"],
        attention_mask=attention_of(batch["segments"]),
        position_ids=batch["position_ids"],
        use_cache=False,
        **extra,
    )
    due = batch["labels"][:, 1:] != IGNORE
    return core.lm_head(output.last_hidden_state[:, :-1][due]), batch["labels"][:, 1:][due]
