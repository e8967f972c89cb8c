"""Whole numbers as digits: which may come next, how they are spelled, and their grammar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Numbers(Protocol):
    """The numbers of a box's slots. A slot is a place in the box; ``earlier`` holds the numbers of the slots before it."""

    def spell(self, value: int) -> str:
        """Text of a number."""
        ...

    def rule(self, slot: int) -> str:
        """EBNF alternatives of a slot, in parentheses."""
        ...

    def allowed(self, slot: int, earlier: Mapping[int, int]) -> Sequence[range]:
        """The numbers that a slot may hold."""
        ...

    def value(self, text: str) -> int | None:
        """The number of a complete spelling, or None."""
        ...

    def begins(self, text: str, allowed: Sequence[range]) -> bool:
        """Whether the spelling of an allowed number begins with ``text``."""
        ...


@dataclass(frozen=True)
class Digits:
    """Spelling of whole numbers, without leading zeros or padded with zeros to ``padded`` digits."""

    padded: int = 0

    def spell(self, value: int) -> str:
        """See Numbers."""
        return f"{value:0{self.padded}d}" if self.padded else str(value)

    def value(self, text: str) -> int | None:
        """See Numbers."""
        if not (text.isascii() and text.isdigit()) or len(text) > 9:
            return None
        number = int(text)
        return number if self.spell(number) == text else None

    def begins(self, text: str, allowed: Sequence[range]) -> bool:
        """See Numbers. A beginning stands for one interval per number of digits that may still follow."""
        whole = [numbers for numbers in allowed if numbers]
        if not text:
            return bool(whole)
        if not (text.isascii() and text.isdigit()) or len(text) > 9:
            return False
        if self.padded:
            missing = [self.padded - len(text)] if len(text) <= self.padded else []
        else:
            missing = [0] if text[0] == "0" else list(range(10 - len(text)))
        if not self.padded and text[0] == "0" and len(text) > 1:
            return False
        low = int(text)
        spans = [(low * 10**more, (low + 1) * 10**more - 1) for more in missing]
        return any(first <= numbers[-1] and last >= numbers[0] for first, last in spans for numbers in whole)


def digits_rule(highest: int, padded: int = 0) -> str:
    """EBNF of the whole numbers from 0 to ``highest``, spelled as ``Digits`` spells them."""
    if padded:
        return "(" + " | ".join(_same_length(f"{highest:0{padded}d}", "0")) + ")"
    text = str(highest)
    shorter = ["[0-9]"] if len(text) > 1 else []
    shorter += ["[1-9]" + _any(length - 1) for length in range(2, len(text))]
    return "(" + " | ".join(shorter + _same_length(text, "1" if len(text) > 1 else "0")) + ")"


def _same_length(highest: str, first_digit: str) -> list[str]:
    """Alternatives of the digit strings as long as ``highest`` and not above it."""
    found = []
    for place, digit in enumerate(highest):
        lowest = first_digit if place == 0 else "0"
        if digit > lowest:
            head = f'"{highest[:place]}" ' if place else ""
            found.append(f"{head}[{lowest}-{chr(ord(digit) - 1)}]" + _any(len(highest) - place - 1))
    return [*found, f'"{highest}"']


def _any(count: int) -> str:
    return f" [0-9]{{{count}}}" if count else ""


@dataclass(frozen=True)
class Corners(Digits):
    """Slots 0 to 3 are x0, y0, x1, y1, from 0 to ``highest`` (of an x, of a y); x1 > x0 and y1 > y0.

    ``within``: narrower ranges of the slots, where only a part of the numbers means the image. For every near edge of its
    range there is a far edge beyond it.
    """

    highest: tuple[int, int] = (0, 0)
    within: tuple[range, range, range, range] | None = None

    def rule(self, slot: int) -> str:
        """See Numbers."""
        return digits_rule(self.highest[slot % 2], self.padded)

    def allowed(self, slot: int, earlier: Mapping[int, int]) -> Sequence[range]:
        """See Numbers. A near edge leaves room for the far edge, so that there is no dead end."""
        highest = self.highest[slot % 2]
        partner = earlier.get((slot + 2) % 4)
        near = range(0, highest if partner is None else min(partner, highest))
        found = near if slot < 2 else range(1 if partner is None else partner + 1, highest + 1)
        if self.within is None:
            return [found]
        inside = self.within[slot]
        return [range(max(found.start, inside.start), min(found.stop, inside.stop))]
