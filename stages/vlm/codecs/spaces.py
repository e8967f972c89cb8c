"""The number spaces of box answers: original image pixels to the whole numbers of a family, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stages.vlm.codecs.interface import SeenPx

Quad = tuple[int, int, int, int]
Reals = Sequence[float]


@dataclass(frozen=True)
class Placed:
    """A box in original pixels; ``cut`` when a part of it lay outside the image by more than rounding."""

    box_xyxy_px: list[float]
    cut: bool = False


class Space(Protocol):
    """Numbers are x0, y0, x1, y1 here, whatever order a family writes them in."""

    @property
    def quantum(self) -> float:
        """Widest error of one coordinate, as a share of the side that the space covers."""
        ...

    def highest(self, seen_px: SeenPx | None) -> tuple[int, int]:
        """The largest number of an x and of a y.

        Raises:
            ValueError: the space needs ``seen_px``.
        """
        ...

    def numbers(self, box_xyxy_px: Reals, width: int, height: int, seen_px: SeenPx | None) -> Quad:
        """Numbers of a box that lies inside the image."""
        ...

    def place(self, numbers: Reals, width: int, height: int, seen_px: SeenPx | None) -> Placed | None:
        """Box of four numbers; None when it is reversed, empty or outside the vocabulary."""
        ...


def rounded(shares: Reals, highest: Reals) -> Quad:
    """Whole numbers nearest to ``share * highest``; a box that would be empty is rounded outward instead."""
    exact = [share * most for share, most in zip(shares, highest, strict=True)]
    values = [round(value) for value in exact]
    for low, high in ((0, 2), (1, 3)):
        if values[low] >= values[high]:
            values[low] = min(math.floor(exact[low]), int(highest[low]) - 1)
            values[high] = max(math.ceil(exact[high]), values[low] + 1)
    return values[0], values[1], values[2], values[3]


def proper(numbers: Reals, highest: tuple[int, int]) -> bool:
    """Whether four numbers are a box of the vocabulary: neither reversed, empty nor outside (nor not a number)."""
    x0, y0, x1, y1 = numbers
    return bool(0 <= x0 < x1 <= highest[0] and 0 <= y0 < y1 <= highest[1])


def shares_of(box_xyxy_px: Reals, width: float, height: float) -> list[float]:
    """A box as shares of the image's sides."""
    return [value / side for value, side in zip(box_xyxy_px, (width, height, width, height), strict=True)]


@dataclass(frozen=True)
class Steps:
    """``round(v / side * steps)``, numbers 0 to ``steps``: the grid has its first line on one edge, its last on the other."""

    steps: int

    @property
    def quantum(self) -> float:
        """Half a step."""
        return 0.5 / self.steps

    def highest(self, seen_px: SeenPx | None) -> tuple[int, int]:
        """See Space."""
        return self.steps, self.steps

    def numbers(self, box_xyxy_px: Reals, width: int, height: int, seen_px: SeenPx | None) -> Quad:
        """See Space."""
        return rounded(shares_of(box_xyxy_px, width, height), (self.steps,) * 4)

    def place(self, numbers: Reals, width: int, height: int, seen_px: SeenPx | None) -> Placed | None:
        """See Space."""
        if not proper(numbers, (self.steps, self.steps)):
            return None
        sides = (width, height, width, height)
        return Placed([value / self.steps * side for value, side in zip(numbers, sides, strict=True)])


@dataclass(frozen=True)
class Bins:
    """``floor(v / side * bins)``, numbers 0 to ``bins - 1``, read back as the bin's centre.

    The floor alone loses half a bin on average (see the mistakes of the ceiling table).
    """

    bins: int

    @property
    def quantum(self) -> float:
        """A whole bin: the far edge of the image comes back half a bin inside, a thin box is widened to two bins."""
        return 1 / self.bins

    def highest(self, seen_px: SeenPx | None) -> tuple[int, int]:
        """See Space."""
        return self.bins - 1, self.bins - 1

    def numbers(self, box_xyxy_px: Reals, width: int, height: int, seen_px: SeenPx | None) -> Quad:
        """See Space. A box thinner than a bin is widened to two neighbouring bins, so that it does not come back empty."""
        sides = (width, height, width, height)
        found = [min(int(value / side * self.bins), self.bins - 1) for value, side in zip(box_xyxy_px, sides, strict=True)]
        for low, high in ((0, 2), (1, 3)):
            if found[low] >= found[high]:
                found[high] = min(found[low] + 1, self.bins - 1)
                found[low] = found[high] - 1
        return found[0], found[1], found[2], found[3]

    def place(self, numbers: Reals, width: int, height: int, seen_px: SeenPx | None) -> Placed | None:
        """See Space."""
        if not proper(numbers, (self.bins - 1, self.bins - 1)):
            return None
        steps = (width / self.bins, height / self.bins, width / self.bins, height / self.bins)
        return Placed([(index + 0.5) * step for index, step in zip(numbers, steps, strict=True)])
