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
# Steps that pictures of like size are gathered from: enough to find some, few enough to leave the order random.
_WINDOW_STEPS = 16


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

    def __init__(self, rows: Sequence[Row], params: FinetuneParams, seed: int) -> None:
        self._rows, self._params, self._seed = rows, params, seed
        self._shuffled: tuple[int, np.ndarray] | None = None

    def row_at(self, index: int) -> int:
        """Number of the row at a place."""
        epoch, place = divmod(index, len(self._rows))
        if self._shuffled is None or self._shuffled[0] != epoch:
            self._shuffled = epoch, np.random.default_rng((self._seed, epoch)).permutation(len(self._rows))
        return int(self._shuffled[1][place])

    def __getitem__(self, index: int) -> Draw:
        epoch, place = divmod(index, len(self._rows))
        chosen = self.row_at(index)
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


class LikeSized:
    """The places of a drawing in another order, in which pictures of like size share a step, so that little of a batch is padding.

    Every window of ``_WINDOW_STEPS`` steps holds the places that it held before; its steps stand in a seeded order. The
    sizes of the pictures alone decide, not the words, so all arms keep one order.
    """

    def __init__(self, drawing: Drawing, rows: Sequence[Row], images_per_step: int, length: int, seed: int) -> None:
        self._drawing, self._step, self._length, self._seed = drawing, images_per_step, length, seed
        self._areas = [row.examples[0].width * row.examples[0].height for row in rows]
        self._known: tuple[int, list[int]] = (-1, [])

    def __getitem__(self, index: int) -> Draw:
        return self._drawing[self.place_of(index)]

    def place_of(self, index: int) -> int:
        """The drawing's place that stands at ``index``."""
        start = index - index % (self._step * _WINDOW_STEPS)
        if self._known[0] != start:
            self._known = start, self._ordered(start)
        return self._known[1][index - start]

    def _ordered(self, start: int) -> list[int]:
        places = range(start, min(start + self._step * _WINDOW_STEPS, self._length))
        by_size = sorted(places, key=lambda place: (self._areas[self._drawing.row_at(place)], place))
        steps = [by_size[first : first + self._step] for first in range(0, len(by_size), self._step)]
        # Its own stream: (seed, epoch, place) draws what stands at a place.
        order = np.random.default_rng((self._seed, 0, 0, start)).permutation(len(steps))
        return [place for step in order for place in steps[int(step)]]
