"""Accuracy on held-out scenes and pictures by kind of phrase, by greedy decoding of packed rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.core.geometry import iou
from stages.core.params import PretrainParams
from stages.vlm.codecs import CODECS
from stages.vlm.families import PromptTokens
from stages.vlm.packing import Segment, answer_logits, pack_rows
from stages.vlm.pretrain.asking import name_phrases
from stages.vlm.pretrain.batches import EVERYTHING, HELD_OUT, SceneBatches, normalised
from stages.vlm.pretrain.nouns import Phrase
from stages.vlm.pretrain.pool import Pool
from stages.vlm.pretrain.scenes import Difficulty, Scene

Drawn = tuple[Scene, list[Phrase]]


def heldout_accuracy(model: Any, processor: Any, source: SceneBatches, pool: Pool, tokens: PromptTokens, params: PretrainParams, seed: int) -> dict[str, float]:
    """Share of phrases that are answered right, by kind; ``all`` of the generic scenes, ``names`` of the medical pictures.

    Only phrases with at most one target, and "all of the class" (``name_all``). Right is exactly the targets, each found
    with IoU >= 0.5 by a box of its own, or the word for none. Scenes come from seeds that training never uses, pictures
    from patients that it never sees.
    """
    numbers = range(params.heldout_images)
    scenes = [source.draw((seed, HELD_OUT, number), Difficulty(8, 0.75, 0.5, calm=True), EVERYTHING) for number in numbers]
    generic = by_kind(answers_right(model, processor, tokens, [(s, [p for p in ps if len(p.targets) < 2]) for s, ps in scenes], params))
    medical = by_kind(answers_right(model, processor, tokens, heldout_pictures(pool, params, seed), params))
    scores = {"all": overall(generic), **{kind: float(np.mean(values)) for kind, values in generic.items()}}
    if medical:
        scores |= {"names": overall(medical), **{kind: float(np.mean(values)) for kind, values in medical.items()}}
    return scores


def heldout_pictures(pool: Pool, params: PretrainParams, seed: int) -> list[Drawn]:
    """As many held-out pictures as held-out scenes, the data sets in turn, as they are, with their questions."""
    drawn: list[Drawn] = []
    sets = sorted(pool.held_out)
    for number in range(params.heldout_images if sets else 0):
        pictures = pool.held_out[sets[number % len(sets)]]
        picture = pictures[number // len(sets) % len(pictures)]
        phrases = name_phrases(picture, picture.scene, np.random.default_rng((seed, HELD_OUT, number)), params.questions_per_image)
        drawn.append((picture.scene, phrases))
    return [(scene, phrases) for scene, phrases in drawn if phrases]


def by_kind(right: Sequence[tuple[str, bool]]) -> dict[str, list[float]]:
    """Outcomes by kind, kinds sorted."""
    kinds: dict[str, list[float]] = defaultdict(list)
    for kind, good in right:
        kinds[kind].append(float(good))
    return dict(sorted(kinds.items()))


def overall(kinds: dict[str, list[float]]) -> float:
    """Mean over all phrases."""
    values = [value for many in kinds.values() for value in many]
    return float(np.mean(values)) if values else 0.0


def answers_right(model: Any, processor: Any, tokens: PromptTokens, drawn: Sequence[Drawn], params: PretrainParams) -> list[tuple[str, bool]]:
    """Kind of every phrase and whether the greedy answer gives exactly its targets."""
    found = []
    side = params.image_px
    for start in range(0, len(drawn), params.images_per_step):
        part = drawn[start : start + params.images_per_step]
        longest = 2 + 5 * max((len(phrase.targets) for _, phrases in part for phrase in phrases), default=1)
        texts = greedy_rows(model, processor, tokens, [s.image for s, _ in part], [[p.text for p in ps] for _, ps in part], longest)
        for (scene, phrases), answers in zip(part, texts, strict=True):
            for phrase, answer in zip(phrases, answers, strict=True):
                decoded = CODECS["loc1000"].decode(answer, side, side)
                truth = [scene.things[i].box_xyxy_px for i in phrase.targets]
                good = same_boxes(decoded.boxes_xyxy_px, truth) if truth else decoded.outcome == "none"
                found.append((phrase.kind, good))
    return found


def same_boxes(answer: Sequence[Sequence[float]], truth: Sequence[Sequence[float]]) -> bool:
    """Whether every true box has an answer's box of its own with IoU >= 0.5, and none is left over."""
    left = list(answer)
    for box in truth:
        best = max(left, key=lambda other: iou(box, other), default=None)
        if best is None or iou(box, best) < 0.5:
            return False
        left.remove(best)
    return not left


def greedy_rows(model: Any, processor: Any, tokens: PromptTokens, images: list[np.ndarray], texts: list[list[str]], longest: int = 6) -> list[list[str]]:
    """Greedy answers of at most ``longest`` tokens; every step reads the packed row again (short answers, no cache)."""
    import torch

    pixels = torch.from_numpy(np.stack([normalised(image) for image in images]))
    answers: list[list[tuple[int, ...]]] = [[() for _ in row] for row in texts]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        seen = model.model.get_image_features(pixels, return_dict=True)
        for _ in range(longest):
            rows = [[_ended(tokens, t, a) for t, a in zip(row, given, strict=True)] for row, given in zip(texts, answers, strict=True)]
            batch = {key: torch.from_numpy(value) for key, value in pack_rows(tokens.prefix_ids, rows, tokens.pad_id).items()}
            logits, due = answer_logits(model, batch, seen)
            chosen = logits.argmax(dim=-1).tolist()
            ends = iter(token for token, wanted in zip(chosen, due.tolist(), strict=True) if wanted == tokens.end_id)
            answers = [[a if a and a[-1] == tokens.end_id else (*a, next_token) for a, next_token in zip(row, ends, strict=False)] for row in answers]
            if all(a[-1] == tokens.end_id for row in answers for a in row):
                break
    decode = processor.tokenizer.decode
    return [[decode([token for token in answer if token != tokens.end_id]) for answer in row] for row in answers]


def _ended(tokens: PromptTokens, text: str, answer: tuple[int, ...]) -> Segment:
    """Question and answer so far with exactly one end token, whose place is where the next token is due."""
    return Segment(tokens.question(text), (*(token for token in answer if token != tokens.end_id), tokens.end_id))
