"""What one training step computes, for packed rows and for any other family.

Both are the ``forward`` of the adapted model, so that DDP and FSDP see them. They give the mean loss over the answers'
tokens, how many there are, and an auxiliary loss.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stages.core.params import FinetuneParams
from stages.finetune.dense import dense_loss
from stages.vlm.codecs import LOCATION_TOKENS
from stages.vlm.families import Family
from stages.vlm.losses import LocationLoss
from stages.vlm.packing import IGNORE, answer_logits

AnswerLoss = Callable[[Any, Any], Any]


def answer_loss(params: FinetuneParams, family: Family, processor: Any) -> AnswerLoss:
    """Loss of answer logits (n, vocabulary) against tokens (n,): soft bins and coordinate distance, or plain cross-entropy.

    The first needs the 1000 location tokens in the vocabulary, one after another.
    """
    from torch.nn import functional

    if not (params.location_loss and family.codec == "loc1000"):
        return functional.cross_entropy
    first = processor.tokenizer.convert_tokens_to_ids(LOCATION_TOKENS[0])
    return LocationLoss(first, params.sigma_bins, params.l1_weight)


def teach(model: Any, forward: Callable[..., dict[str, Any]], params: FinetuneParams) -> None:
    """Make ``forward(model, batch)`` what the adapted model computes in training; generation stays as it was."""
    import torch

    def mixed(**batch: Any) -> dict[str, Any]:
        device = batch["input_ids"].device.type
        with torch.autocast(device, torch.bfloat16, enabled=params.precision != "fp32"):
            return forward(model, batch)

    model.forward = mixed


def packed_forward(loss_of: AnswerLoss, params: FinetuneParams) -> Callable[..., dict[str, Any]]:
    """Losses of packed rows; the dense head learns along where it has a weight."""
    return functools.partial(_packed, loss_of, params)


def _packed(loss_of: AnswerLoss, params: FinetuneParams, model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    seen = model.get_base_model().model.get_image_features(batch["pixel_values"], return_dict=True)
    logits, due = answer_logits(model, batch, seen)
    losses = {"loss": loss_of(logits.float(), due), "answers": due.numel(), "auxiliary": None}
    if params.dense_weight > 0:
        patches = model.dense_head(seen.last_hidden_state)
        losses["auxiliary"] = params.dense_weight * dense_loss(patches, batch["patch_labels"], batch["patch_boxes"])
    return losses


def question_forward(loss_of: AnswerLoss, family: Family) -> Callable[..., dict[str, Any]]:
    """Losses of a family's own ``training_batch``."""
    return functools.partial(_questions, loss_of, family)


def _questions(loss_of: AnswerLoss, family: Family, model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    logits, due = due_logits(model, family, batch)
    return {"loss": loss_of(logits.float(), due), "answers": due.numel(), "auxiliary": None}


def due_logits(model: Any, family: Family, batch: dict[str, Any]) -> tuple[Any, Any]:
    """Logits (answers, vocabulary) where an answer token is due, and those tokens (answers,).

    The vocabulary is large and answers are short: only their positions reach the output layer. A picture that several
    rows share (``picture_of``, see ``data.seen_once``) goes through the vision part once.
    """
    inputs = {key: value for key, value in batch.items() if key not in ("labels", "picture_of")}
    core = model.get_base_model() if hasattr(model, "peft_config") else model
    labels = batch["labels"]
    due = labels != IGNORE
    targets = labels[due]
    if family.encoder_decoder:
        inputs["decoder_input_ids"] = _shifted(labels, core.config)
        positions = due
    else:
        # The token at one place is due at the place before it.
        positions = due.roll(-1, dims=1)
    with _only(core.get_output_embeddings(), positions), _shared(core.model, batch.get("picture_of")):
        return core(**inputs, use_cache=False).logits, targets


def _shifted(labels: Any, config: Any) -> Any:
    """A decoder's input: its start token, then the answer without its last token."""
    text = config.get_text_config(decoder=True)
    shifted = labels.roll(1, dims=1)
    shifted[:, 0] = text.decoder_start_token_id
    return shifted.masked_fill(shifted == IGNORE, text.pad_token_id)


@contextmanager
def _only(layer: Any, positions: Any) -> Iterator[None]:
    """Let only the marked positions (rows, length) of a layer's input through, as (marked, width)."""
    handle = layer.register_forward_pre_hook(lambda module, inputs: (inputs[0][positions], *inputs[1:]))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _shared(inner: Any, picture_of: Any | None) -> Iterator[None]:
    """Let every row have what was seen of its picture, where ``pixel_values`` hold each picture once."""
    import torch

    if picture_of is None:
        yield
        return
    numbers = picture_of.tolist()
    firsts = [numbers.index(number) for number in range(max(numbers) + 1)]
    encode = inner.get_image_features

    def once(pixel_values: Any, image_grid_thw: Any = None, **named: Any) -> Any:
        if image_grid_thw is not None:
            named["image_grid_thw"] = image_grid_thw[firsts]
        seen = encode(pixel_values, **named)
        features = seen.pooler_output
        seen.pooler_output = features[picture_of] if torch.is_tensor(features) else [features[number] for number in numbers]
        return seen

    inner.get_image_features = once
    try:
        yield
    finally:
        del inner.get_image_features
