"""Finding groups of numbers between a family's own marks, and saying what else stands in the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from stages.vlm.codecs.interface import Repair
from stages.vlm.codecs.reading import MALFORMED, WRONG_COUNT, Reading

NUMBER: Final = r"\s*(-?[0-9]+(?:\.[0-9]+)?)\s*"
XYXY: Final = (0, 1, 2, 3)
YXYX: Final = (1, 0, 3, 2)
Order = tuple[int, int, int, int]


def arranged(numbers: Sequence[float], order: Order = XYXY) -> tuple[float, ...]:
    """Four numbers as x0, y0, x1, y1; ``order`` says which of these (0 to 3) each number is."""
    return tuple(numbers[order.index(axis)] for axis in range(4))


def number(text: str) -> float:
    """A coordinate; a row of digits too long to be one is infinite, which is out of every range."""
    if "." in text:
        return float(text)
    return int(text) if len(text) <= 9 else float("inf")


@dataclass(frozen=True)
class Groups:
    """Patterns of a syntax.

    ``exact``: a whole answer. ``group``: one box, its numbers captured. ``short``: numbers left over inside an answer,
    which are no whole box. ``begun``: the beginning of a box at the end of the text. ``marks``: what surrounds the
    boxes of an answer. ``label_before``, ``label_after``: the label (captured) that ends before a box, or begins after
    it. ``arrange``: captured numbers to x0, y0, x1, y1.
    """

    exact: re.Pattern[str]
    group: re.Pattern[str]
    short: re.Pattern[str]
    begun: re.Pattern[str]
    marks: re.Pattern[str]
    label_before: re.Pattern[str] | None = None
    label_after: re.Pattern[str] | None = None
    arrange: Callable[[Sequence[float]], tuple[float, ...]] = arranged

    def read(self, text: str) -> Reading:
        """Boxes of a text; see REPAIRS for what is mended."""
        found = list(self.group.finditer(text))
        rest = self.group.sub(" ", text)
        begun = self.begun.search(rest)
        if not found:
            return WRONG_COUNT if begun or self.short.search(rest) else MALFORMED
        if self.short.search(rest[: begun.start()] if begun else rest):
            return WRONG_COUNT
        repairs: list[Repair] = ["cut_off"] if begun else []
        if not begun and not self.exact.fullmatch(text.strip()):
            repairs.append("words_around" if self.marks.sub("", rest).strip() else "marks")
        if any("." in digits for match in found for digits in match.groups()):
            repairs.append("decimals")
        numbers = [self.arrange([number(digits) for digits in match.groups()]) for match in found]
        return Reading(numbers, self._labels(text, found), tuple(repairs))

    def _labels(self, text: str, found: Sequence[re.Match[str]]) -> list[str]:
        """The label of each box, "" where there is none; several boxes may share the one before them."""
        labels = []
        if self.label_after:
            after = [self.label_after.match(text, match.end()) for match in found]
            return [label.group(1).strip() if label else "" for label in after]
        if self.label_before:
            before = list(self.label_before.finditer(text))
            for match in found:
                ended = [label for label in before if label.end() <= match.start()]
                labels.append(ended[-1].group(1).strip() if ended else "")
            return labels
        return [""] * len(found)
