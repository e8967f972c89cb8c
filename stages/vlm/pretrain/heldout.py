"""Accuracy on held-out scenes by kind of phrase, by greedy decoding of packed rows."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from stages.core.geometry import iou
from stages.core.params import PretrainParams
from stages.vlm.codecs import CODECS
from stages.vlm.families import PromptTokens
from stages.vlm.packing import Segment, answer_logits, pack_rows
from stages.vlm.pretrain.batches import EVERYTHING, HELD_OUT, SceneBatches, normalised
from stages.vlm.pretrain.scenes import Difficulty


def heldout_accuracy(
    model: Any, processor: Any, source: SceneBatches, tokens: PromptTokens, params: PretrainParams, seed: int
) -> dict[str, float]:
    """Share of phrases with exactly one target (or none) that are answered right, by kind, and ``all``.

    Right is a single box with IoU >= 0.5, or the word for none. Scenes come from seeds that training never uses.
    """
    right: dict[str, list[float]] = defaultdict(list)
    for start in range(0, params.heldout_images, params.images_per_step):
        numbers = range(start, min(start + params.images_per_step, params.heldout_images))
        drawn = [source.draw((seed, HELD_OUT, number), Difficulty(8, 0.75, 0.5, calm=True), EVERYTHING) for number in numbers]
        rows = [[phrase for phrase in phrases if len(phrase.targets) < 2] for _, phrases in drawn]
        texts = greedy_rows(
            model, processor, tokens, [scene.image for scene, _ in drawn], [[phrase.text for phrase in row] for row in rows]
        )
        for (scene, _), row, answers in zip(drawn, rows, texts, strict=True):
            for phrase, answer in zip(row, answers, strict=True):
                decoded = CODECS["loc1000"].decode(answer, params.image_px, params.image_px)
                if phrase.targets:
                    truth = scene.things[phrase.targets[0]].box_xyxy_px
                    good = len(decoded.boxes_xyxy_px) == 1 and iou(decoded.boxes_xyxy_px[0], truth) >= 0.5
                else:
                    good = decoded.outcome == "none"
                right[phrase.kind].append(float(good))
    scores = {kind: float(np.mean(values)) for kind, values in sorted(right.items())}
    return {"all": float(np.mean([value for values in right.values() for value in values])), **scores}


def greedy_rows(
    model: Any, processor: Any, tokens: PromptTokens, images: list[np.ndarray], texts: list[list[str]], longest: int = 6
) -> list[list[str]]:
    """Greedy answers of at most ``longest`` tokens; every step reads the packed row again (short answers, no cache)."""
    import torch

    pixels = torch.from_numpy(np.stack([normalised(image) for image in images]))
    answers: list[list[tuple[int, ...]]] = [[() for _ in row] for row in texts]
    with torch.no_grad():
        seen = model.model.get_image_features(pixels, return_dict=True)
        for _ in range(longest):
            rows = [[_ended(tokens, t, a) for t, a in zip(row, given, strict=True)] for row, given in zip(texts, answers, strict=True)]
            batch = {key: torch.from_numpy(value) for key, value in pack_rows(tokens.prefix_ids, rows, tokens.pad_id).items()}
            logits, due = answer_logits(model, batch, seen)
            chosen = logits.argmax(dim=-1).tolist()
            ends = iter(token for token, wanted in zip(chosen, due.tolist(), strict=True) if wanted == tokens.end_id)
            answers = [
                [a if a and a[-1] == tokens.end_id else (*a, next_token) for a, next_token in zip(row, ends, strict=False)]
                for row in answers
            ]
    decode = processor.tokenizer.decode
    return [[decode([token for token in answer if token != tokens.end_id]) for answer in row] for row in answers]


def _ended(tokens: PromptTokens, text: str, answer: tuple[int, ...]) -> Segment:
    """Question and answer so far with exactly one end token, whose place is where the next token is due."""
    return Segment(tokens.question(text), (*(token for token in answer if token != tokens.end_id), tokens.end_id))
