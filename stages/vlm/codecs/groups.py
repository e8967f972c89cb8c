"""Numbers in groups of four, as answers of location tokens and JSON lists hold them."""

from __future__ import annotations

from collections.abc import Sequence


def grouped(numbers: Sequence[float], order: tuple[int, int, int, int] = (0, 1, 2, 3)) -> list[tuple[float, ...]]:
    """Whole groups of four; ``order`` says which coordinate (x0, y0, x1, y1 = 0 to 3) each number of a group is."""
    whole = [numbers[start : start + 4] for start in range(0, len(numbers) - len(numbers) % 4, 4)]
    return [tuple(group[order.index(axis)] for axis in range(4)) for group in whole]


def digits(text: str) -> float:
    """The number of a row of digits; one too long to be a coordinate is infinite, which is out of every range."""
    return int(text) if len(text) <= 9 else float("inf")
