"""A dense auxiliary from the corpus' own boxes: what each patch shows, where that object ends, how it ranks in its class.

Four numbers a question are a thin signal for the eyes of a model; the boxes of all training examples of a picture say
more about it. The head is dropped after training. All arms get the same one: it holds no words but the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.core.geometry import box_area
from stages.core.records import Example
from stages.finetune.augment import Placement

NOTHING = 0
# Ranks by x, y and area, from either end, capped at the last level; UNKNOWN where not all objects of the class are boxed.
RANKS, RANK_LEVELS, UNKNOWN = 6, 4, -1
_PAIR = "|"


@dataclass(frozen=True)
class KnownObject:
    """A box of a picture's examples: number of its label (1..), ``box_xyxy_px``, and whether its whole class is known."""

    label: int
    box_xyxy_px: list[float]
    complete: bool


def known_objects(row: Sequence[Example], labels: Sequence[str]) -> list[KnownObject]:
    """Distinct boxes of a picture's examples, large ones first.

    A box that a pair's example shares with one half's keeps the half's label. A class is complete when as many boxes
    are known as the source counts in the picture.
    """
    examples = sorted(row, key=lambda example: _PAIR not in example.label)
    found = {tuple(box): example.label for example in examples for box in example.boxes_xyxy_px}
    counts = {example.label: example.n_same_label for example in row}
    seen = {label: sum(other == label for other in found.values()) for label in found.values()}
    ordered = sorted(found.items(), key=lambda item: (-box_area(item[0]), item[0]))
    return [KnownObject(labels.index(label) + 1, list(box), seen[label] == counts[label]) for box, label in ordered]


def dense_targets(objects: Sequence[KnownObject], placement: Placement, width: int, height: int, grid: int) -> tuple[np.ndarray, np.ndarray]:
    """Per patch, row by row: label number (grid^2,), 0 for nothing known, and (grid^2, 4 + RANKS) box and ranks.

    The box is in shares of the sides, ranks are levels as floats. A patch shows the smallest object whose box holds the
    patch's centre; an object between the centres takes the patch that its own centre lies in.
    """
    label_of = np.zeros((grid, grid), np.int64)
    place_of = np.zeros((grid, grid, 4 + RANKS), np.float32)
    centres = (np.arange(grid) + 0.5) / grid
    moved = [(known, placement.box(known.box_xyxy_px, width, height)) for known in objects]
    kept = [(known, np.array(box) / (width, height, width, height)) for known, box in moved if box is not None]
    ranks = rank_levels([known for known, _ in kept], np.array([box for _, box in kept]).reshape(-1, 4))
    # A class that lost a member at the border is complete no more.
    lost = {known.label for known, box in moved if box is None}
    for (known, (x0, y0, x1, y1)), levels in zip(kept, ranks, strict=True):
        inside = np.outer((centres >= y0) & (centres < y1), (centres >= x0) & (centres < x1))
        inside[min(int((y0 + y1) / 2 * grid), grid - 1), min(int((x0 + x1) / 2 * grid), grid - 1)] = True
        label_of[inside] = known.label
        place_of[inside] = (x0, y0, x1, y1, *(levels if known.label not in lost else [UNKNOWN] * RANKS))
    return label_of.ravel(), place_of.reshape(grid * grid, -1)


def rank_levels(objects: Sequence[KnownObject], boxes: np.ndarray) -> np.ndarray:
    """(objects, RANKS): how many of the class lie before and after each by x, by y and by area of ``boxes`` (objects, 4)."""
    labels = np.array([known.label for known in objects])
    same = labels[:, None] == labels[None, :]
    keys = (boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3], (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    counts = [(matrix & same).sum(axis=1) for key in keys for matrix in (key[None] < key[:, None], key[None] > key[:, None])]
    levels = np.minimum(np.stack(counts, axis=1), RANK_LEVELS - 1)
    levels[[not known.complete for known in objects]] = UNKNOWN
    return levels


def make_head(model: Any, n_labels: int) -> Any:
    """Linear head from the vision part's width to label scores (nothing included), a box and the ranks."""
    import torch

    return torch.nn.Linear(model.config.vision_config.hidden_size, n_labels + 1 + 4 + RANKS * RANK_LEVELS)


def dense_loss(outputs: Any, labels: Any, places: Any) -> Any:
    """Loss of the head's ``outputs`` against stacked ``dense_targets``: label by patch, L1 of the box, and its ranks.

    Patches with and without an object weigh the same in total.
    """
    import torch
    from torch.nn import functional

    parts = outputs.float().split((outputs.shape[-1] - 4 - RANKS * RANK_LEVELS, 4, RANKS * RANK_LEVELS), dim=-1)
    covered = labels != NOTHING
    share = covered.float().mean().clamp(1e-3, 1 - 1e-3)
    weight = torch.where(covered, 0.5 / share, 0.5 / (1 - share)).flatten()
    loss = (functional.cross_entropy(parts[0].flatten(0, 1), labels.flatten(), reduction="none") * weight).mean()
    if bool(covered.any()):
        loss = loss + 8.0 * (parts[1][covered] - places[covered][:, :4]).abs().mean()
        wanted = places[covered][:, 4:].long().flatten()
        if bool((wanted != UNKNOWN).any()):
            scores = parts[2][covered].reshape(-1, RANK_LEVELS)
            loss = loss + 0.5 * functional.cross_entropy(scores, wanted, ignore_index=UNKNOWN)
    return loss
