"""Which image, which of its examples and which augmentation stand at place ``i`` of a run: from the seed and ``i`` alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.params import FinetuneParams
from stages.core.records import Example
from stages.finetune.arms import Row
from stages.finetune.augment import STAY, Placement, draw_placement

_DRAWS_OF_A_PLACE = 4


@dataclass(frozen=True)
class Draw:
    """``row`` numbers the image; ``rng`` goes on to draw what the augmentation of its grey values needs."""

    row: int
    examples: list[Example]
    placement: Placement
    rng: np.random.Generator

    def boxes(self, example: Example) -> list[list[float]]:
        """The example's boxes in the moved picture."""
        moved = [self.placement.box(box, example.width, example.height) for box in example.boxes_xyxy_px]
        return [box for box in moved if box is not None]

    def text(self, example: Example) -> str:
        """The example's words for the moved picture."""
        return self.placement.text(example.text)


class Drawing:
    """Every image once an epoch, in an order of that epoch's own."""

    def __init__(self, rows: Sequence[Row], params: FinetuneParams, seed: int):
        self._rows, self._params, self._seed = rows, params, seed

    def __getitem__(self, index: int) -> Draw:
        epoch, place = divmod(index, len(self._rows))
        chosen = int(np.random.default_rng((self._seed, epoch)).permutation(len(self._rows))[place])
        row = self._rows[chosen]
        rng = np.random.default_rng((self._seed, epoch, place))
        order = rng.permutation(len(row.examples))[: self._params.questions_per_image]
        examples = [row.examples[int(i)] for i in order]
        return Draw(chosen, examples, self._placement(examples, row.mirrorable, rng), rng)

    def _placement(self, examples: Sequence[Example], mirrorable: bool, rng: np.random.Generator) -> Placement:
        """A drawn placement that cuts no target, or none."""
        for _ in range(_DRAWS_OF_A_PLACE):
            placement = draw_placement(self._params.augment, rng, mirrorable)
            if all(placement.box(box, e.width, e.height) is not None for e in examples for box in e.boxes_xyxy_px):
                return placement
        return STAY
