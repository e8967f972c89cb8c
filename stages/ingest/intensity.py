"""How a volume's values become 8 bit: the card's rule as two values, black and white, for the slices that are kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.core.params import ParamError
from stages.core.volume import window_to_8bit
from stages.ingest.card import Card
from stages.ingest.faults import Fault
from stages.knowledge.windows import window

_BITS_16 = 1 << 16
# Values that are counted at once; below 2^24, so that counts stay exact.
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Grey:
    """Values from ``low`` (black) to ``high`` (white), and the record of the rule; None: 8-bit values as they are."""

    low: float | None
    high: float | None
    transform: dict[str, Any]

    def of(self, slice_values: np.ndarray) -> np.ndarray:
        """uint8 pixels of a slice."""
        if self.low is None or self.high is None:
            return np.ascontiguousarray(slice_values)
        return window_to_8bit(slice_values, self.low, self.high)


def grey_rule(array: np.ndarray, card: Card, path: str) -> Grey:
    """The card's intensity rule for a volume (or a picture) of any shape.

    Raises:
        Fault: the values are constant where the rule needs a range.
        ParamError: the card asks for stored values of a volume that is not 8 bit, or for a rule that volumes do not have.
    """
    rule = card.intensity
    if rule.kind == "stored":
        if array.dtype != np.uint8:
            cause = f"intensity kind 'stored' needs 8-bit volumes, {path} holds {array.dtype}: use window or percentiles"
            raise ParamError(f"card {card.name}: {cause}")
        return Grey(None, None, {"kind": "stored"})
    if rule.kind == "window":
        chosen = window(rule.preset) if rule.preset else rule
        assert chosen.level is not None and chosen.width is not None  # load_card checked it
        named = {"preset": rule.preset} if rule.preset else {}
        record = {"kind": "window", "level": chosen.level, "width": chosen.width, **named}
        return Grey(chosen.level - chosen.width / 2, chosen.level + chosen.width / 2, record)
    if rule.kind != "percentiles":
        raise ParamError(f"card {card.name}: intensity kind {rule.kind!r} is not for the reader {card.reader}: use window or percentiles")
    assert rule.low is not None and rule.high is not None  # load_card checked it
    low, high = percentiles(array, [rule.low, rule.high])
    if not high > low:
        raise Fault("flat_image", path, f"percentiles {rule.low} and {rule.high} of the values are both {low}: nothing to see")
    return Grey(low, high, {"kind": "percentiles", "percent": [rule.low, rule.high], "low": low, "high": high})


def percentiles(array: np.ndarray, percents: list[float]) -> list[float]:
    """``numpy.percentile`` with linear interpolation, without a sorted copy of the volume.

    Values of 8 or 16 bits and 32-bit floats are counted by their 16 leading bits; for floats those that share the bits
    of the wanted value are counted once more by the other 16. Other types go through NumPy.
    """
    if array.dtype.kind not in "iuf" or (array.dtype.itemsize > 2 and array.dtype != np.float32):
        return [float(value) for value in np.percentile(array, percents)]
    counted = _Counted(array)
    found = []
    for percent in percents:
        place = percent / 100 * (array.size - 1)
        below, above = (counted.value_at(rank) for rank in (math.floor(place), math.ceil(place)))
        found.append(_between(below, above, place - math.floor(place)))
    return found


def _between(below: float, above: float, share: float) -> float:
    """Linear interpolation with NumPy's rounding: from the nearer end."""
    return below + (above - below) * share if share < 0.5 else above - (above - below) * (1 - share)


class _Counted:
    """How often each value of an array occurs, so that the value of any rank can be told."""

    def __init__(self, array: np.ndarray) -> None:
        self._dtype = array.dtype
        self._blocks = _blocks(array)
        width = min(16, 8 * array.dtype.itemsize)
        self._order = _ascending(array.dtype, width)
        self._counts = sum((_histogram(block, -1, width, None) for block in self._blocks), np.zeros(1 << width, np.int64))[self._order]
        self._ends = np.cumsum(self._counts)
        self._trailing: dict[int, np.ndarray] = {}

    def value_at(self, rank: int) -> float:
        """The value of a rank (from 0) among all values in ascending order."""
        place = int(np.searchsorted(self._ends, rank, side="right"))
        pattern = int(self._order[place])
        if self._dtype != np.float32:
            return float(np.array(pattern, f"u{self._dtype.itemsize}").view(self._dtype))
        lower = np.arange(_BITS_16)[:: -1 if pattern >= _BITS_16 // 2 else 1]
        ends = np.cumsum(self._trailing_of(pattern)[lower])
        trailing = int(lower[np.searchsorted(ends, rank - int(self._ends[place] - self._counts[place]), side="right")])
        return float(np.array((pattern << 16) | trailing, np.uint32).view(np.float32))

    def _trailing_of(self, pattern: int) -> np.ndarray:
        """Counts of the 16 trailing bits of the floats whose leading ones are ``pattern``."""
        if pattern not in self._trailing:
            total = np.zeros(_BITS_16, np.int64)
            for block in self._blocks:
                total += _histogram(block, 0, 16, (block[..., 1] == pattern).astype(np.uint8))
            self._trailing[pattern] = total
        return self._trailing[pattern]


def _blocks(array: np.ndarray) -> list[np.ndarray]:
    """The bits of an array as pieces (rows, columns, 16-bit halves with the leading one last), in the order of memory."""
    order = np.argsort([-abs(step) for step in array.strides], kind="stable")
    flips = tuple(slice(None, None, -1 if array.strides[axis] < 0 else 1) for axis in order)
    stored = array.transpose(order)[flips].reshape(-1)  # a view, unless it is one channel of several
    halves = max(1, array.dtype.itemsize // 2)
    bits = stored.view(np.uint16 if array.dtype.itemsize > 1 else np.uint8).reshape(-1, 1, halves)
    return [bits[start : start + _BLOCK] for start in range(0, len(bits), _BLOCK)]


def _histogram(block: np.ndarray, half: int, width: int, mask: np.ndarray | None) -> np.ndarray:
    """Counts of one 16-bit half (-1: the leading one). OpenCV counts in float32, which is exact up to 2^24."""
    import cv2

    counts = cv2.calcHist([block], [half % block.shape[-1]], mask, [1 << width], [0, 1 << width])
    return counts.ravel().astype(np.int64)


def _ascending(dtype: np.dtype, width: int) -> np.ndarray:
    """Patterns of the leading bits in the order of their values: negative numbers have the first bit set, negative floats run backwards."""
    patterns = np.arange(1 << width)
    if dtype.kind == "u":
        return patterns
    negative = patterns[len(patterns) // 2 :]
    return np.concatenate([negative[::-1] if dtype.kind == "f" else negative, patterns[: len(patterns) // 2]])
