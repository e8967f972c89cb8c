"""What each arm learns from: the same images and boxes, other words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from stages.core.records import Example
from stages.core.stage import StageError


def referring(example: Example) -> Example:
    """The verified referring expression as it is."""
    return example


def class_name(example: Example) -> Example:
    """The same boxes under the plain class name: what a segmentation dataset says without language.

    The boxes stay those of the expression, one object where it singled one out, so that both arms see the same
    images and boxes equally often, and the control answers with as many boxes as it is asked for.
    """
    return dataclasses.replace(example, text=f"the {example.label.replace('|', ' and ')}")


ARMS: dict[str, Callable[[Example], Example]] = {"tuned": referring, "control": class_name}


def training_rows(examples: Sequence[Example], arm: str) -> list[list[Example]]:
    """Training examples of an arm, grouped by image, in the order of the ids.

    Raises:
        StageError: unknown arm, or no training example.
    """
    if arm not in ARMS:
        raise StageError(f"params.yaml:finetune:arms: unknown arm {arm!r}; known: {', '.join(sorted(ARMS))}")
    rows: dict[str, list[Example]] = {}
    for example in sorted(examples, key=lambda example: example.example_id):
        if example.split == "train":
            rows.setdefault(example.sample_id, []).append(ARMS[arm](example))
    if not rows:
        raise StageError("data/corpus/examples has no example of split 'train': look at metrics/split.json and metrics/verify.json")
    return [rows[sample_id] for sample_id in sorted(rows)]
