"""What one gets without looking: a box in the centre, a box anywhere, the mean box of the label. All know the training split only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from stages.core.records import Example, Prediction
from stages.core.stage import StageError, seed_for


def baseline_predictions(examples: Sequence[Example], train: Sequence[Example], seed: int) -> dict[str, list[Prediction]]:
    """Answers of the baselines to ``examples``: one box each (the mean box: one for each label of a pair), whatever was asked."""
    sizes = relative_sizes(train)
    middle = np.median(sizes, axis=0)
    means = mean_boxes(train)
    return {
        "centre": [_answer("centre", example, [centre_box(example, middle)]) for example in examples],
        "random": [_answer("random", example, [random_box(example, sizes, seed)]) for example in examples],
        "mean_box": [_answer("mean_box", example, label_boxes(example, means)) for example in examples],
    }


def relative_sizes(train: Sequence[Example]) -> np.ndarray:
    """Width and height of every target box as shares of its image, shape (boxes, 2).

    Raises:
        StageError: no example has a box.
    """
    sizes = [((box[2] - box[0]) / example.width, (box[3] - box[1]) / example.height) for example in train for box in example.boxes_xyxy_px]
    if not sizes:
        raise StageError("data/corpus/examples has no target box in split 'train', so the baselines have no size: give more patients")
    return np.asarray(sizes)


def mean_boxes(train: Sequence[Example]) -> dict[str, np.ndarray]:
    """Mean target box of each label, and of all under "", as shares of the image: x0, y0, x1, y1. From queries with one target."""
    seen: dict[str, list[np.ndarray]] = defaultdict(list)
    for example in train:
        scale = np.array([example.width, example.height] * 2, float)
        for box in example.boxes_xyxy_px:
            seen[""].append(np.array(box) / scale)
        if len(example.boxes_xyxy_px) == 1:
            seen[example.label].append(np.array(example.boxes_xyxy_px[0]) / scale)
    return {label: np.mean(boxes, axis=0) for label, boxes in seen.items()}


def label_boxes(example: Example, means: Mapping[str, np.ndarray]) -> list[list[float]]:
    """The mean box of the example's label, of each label of a pair ("left kidney|right kidney"); of all labels for an unknown one."""
    scale = np.array([example.width, example.height] * 2, float)
    return [[float(value) for value in means.get(label, means[""]) * scale] for label in example.label.split("|")]


def centre_box(example: Example, share: np.ndarray) -> list[float]:
    """Box of the given share (width, height) of the image, centred; ``box_xyxy_px``."""
    return _placed(example, share, np.array([0.5, 0.5]))


def random_box(example: Example, sizes: np.ndarray, seed: int) -> list[float]:
    """Box of the relative size of a random training box at a uniformly random place inside the image; ``box_xyxy_px``."""
    draws = np.random.default_rng(seed_for(seed, "random_box", example.example_id))
    return _placed(example, sizes[draws.integers(len(sizes))], draws.random(2))


def _placed(example: Example, share: np.ndarray, place: np.ndarray) -> list[float]:
    """``place`` 0 puts the box at the left or upper border, 1 at the right or lower one."""
    image = np.array([example.width, example.height], float)
    start = place * (1 - share) * image
    end = np.minimum(start + share * image, image)
    return [float(start[0]), float(start[1]), float(end[0]), float(end[1])]


def _answer(contender: str, example: Example, boxes: list[list[float]]) -> Prediction:
    return Prediction(example.example_id, contender, "", boxes, [1.0] * len(boxes), "ok", 0)
