"""A dense auxiliary from the corpus' own boxes: what each patch of the picture shows, and where that object ends.

Four numbers a question are a thin signal for the eyes of a model; the boxes of all training examples of a picture say
more about it. The head is dropped after training. All arms get the same one: it holds no words but the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.core.geometry import box_area
from stages.core.records import Example
from stages.finetune.augment import Placement

NOTHING = 0


def known_objects(row: Sequence[Example], labels: Sequence[str]) -> list[tuple[int, list[float]]]:
    """Distinct boxes of a picture's examples with the number of their label (1..), large ones first."""
    found = {tuple(box): labels.index(example.label) + 1 for example in row for box in example.boxes_xyxy_px}
    return [(label, list(box)) for box, label in sorted(found.items(), key=lambda item: (-box_area(item[0]), item[0]))]


def dense_targets(
    objects: Sequence[tuple[int, list[float]]], placement: Placement, width: int, height: int, grid: int
) -> tuple[np.ndarray, np.ndarray]:
    """Per patch, row by row: label number (grid^2,), 0 for nothing known, and box as shares of the sides (grid^2, 4).

    A patch shows the smallest object whose box holds the patch's centre; an object between the centres takes the
    patch that its own centre lies in.
    """
    label_of = np.zeros((grid, grid), np.int64)
    box_of = np.zeros((grid, grid, 4), np.float32)
    centres = (np.arange(grid) + 0.5) / grid
    for label, box in objects:
        moved = placement.box(box, width, height)
        if moved is None:
            continue
        x0, y0, x1, y1 = moved[0] / width, moved[1] / height, moved[2] / width, moved[3] / height
        inside = np.outer((centres >= y0) & (centres < y1), (centres >= x0) & (centres < x1))
        inside[min(int((y0 + y1) / 2 * grid), grid - 1), min(int((x0 + x1) / 2 * grid), grid - 1)] = True
        label_of[inside], box_of[inside] = label, (x0, y0, x1, y1)
    return label_of.ravel(), box_of.reshape(-1, 4)


def make_head(model: Any, n_labels: int) -> Any:
    """Linear head from the vision part's width to label scores (nothing included) and a box."""
    import torch

    return torch.nn.Linear(model.config.vision_config.hidden_size, n_labels + 1 + 4)


def dense_loss(outputs: Any, labels: Any, boxes: Any) -> Any:
    """Loss of the head's ``outputs`` (images, patches, labels + 1 + 4): label by patch, and L1 of the box where one is.

    Patches with and without an object weigh the same in total.
    """
    import torch
    from torch.nn import functional

    scores, found = outputs[..., :-4].float(), outputs[..., -4:].float()
    covered = labels != NOTHING
    share = covered.float().mean().clamp(1e-3, 1 - 1e-3)
    weight = torch.where(covered, 0.5 / share, 0.5 / (1 - share)).flatten()
    named = (functional.cross_entropy(scores.flatten(0, 1), labels.flatten(), reduction="none") * weight).mean()
    return named + 8.0 * (found[covered] - boxes[covered]).abs().mean() if bool(covered.any()) else named
