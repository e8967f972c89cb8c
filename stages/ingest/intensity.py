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

    Values of 8 or 16 bits and 32-bit floats are counted, slab by slab, by their 16 leading bits; for floats the values
    that share the bits of the wanted one are counted once more by the other 16. Other types go through NumPy.
    """
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 4 or (array.dtype.itemsize == 4) != (array.dtype == np.float32):
        return [float(value) for value in np.percentile(array, percents)]
    if array.dtype == np.float16:
        return percentiles(array.astype(np.float32), percents)
    slabs = _slabs(array)
    counts = _count_leading(slabs, array.dtype)
    found = []
    for percent in percents:
        place = percent / 100 * (array.size - 1)
        below, above = (_value_at(slabs, counts, array.dtype, rank) for rank in (math.floor(place), math.ceil(place)))
        found.append(_between(below, above, place - math.floor(place)))
    return found


def _between(below: float, above: float, share: float) -> float:
    """Linear interpolation with NumPy's rounding: from the nearer end."""
    return below + (above - below) * share if share < 0.5 else above - (above - below) * (1 - share)


def _slabs(array: np.ndarray) -> list[np.ndarray]:
    """The array cut along the axis that lies slowest in memory."""
    slowest = int(np.argmax([abs(step) for step in array.strides]))
    return list(np.moveaxis(array, slowest, 0)) if array.ndim > 1 else [array]


def _count_leading(slabs: list[np.ndarray], dtype: np.dtype) -> np.ndarray:
    """How often each pattern of the 16 leading bits (all bits of narrower types) occurs, in ascending order of the values."""
    width = min(16, 8 * dtype.itemsize)
    counts = np.zeros(1 << width, np.int64)
    for slab in slabs:
        counts += np.bincount(_leading(slab), minlength=len(counts))
    return counts[_ascending(dtype)]


def _leading(slab: np.ndarray) -> np.ndarray:
    flat = np.ascontiguousarray(slab).reshape(-1)
    if flat.dtype == np.float32:
        return flat.view(np.uint32) >> 16
    return flat.view(f"u{flat.dtype.itemsize}")


def _ascending(dtype: np.dtype) -> np.ndarray:
    """Bit patterns in the order of their values: negative numbers have the first bit set, negative floats run backwards."""
    total = 1 << min(16, 8 * dtype.itemsize)
    patterns = np.arange(total)
    if dtype.kind == "u":
        return patterns
    negative = patterns[total // 2 :]
    return np.concatenate([negative[::-1] if dtype.kind == "f" else negative, patterns[: total // 2]])


def _value_at(slabs: list[np.ndarray], counts: np.ndarray, dtype: np.dtype, rank: int) -> float:
    """The value of a rank (from 0) among all values in ascending order."""
    ends = np.cumsum(counts)
    place = int(np.searchsorted(ends, rank, side="right"))
    pattern = int(_ascending(dtype)[place])
    if dtype != np.float32:
        return float(np.array(pattern, f"u{dtype.itemsize}").view(dtype))
    rest = np.zeros(_BITS_16, np.int64)
    for slab in slabs:
        bits = np.ascontiguousarray(slab).reshape(-1).view(np.uint32)
        rest += np.bincount(bits[(bits >> 16) == pattern] & (_BITS_16 - 1), minlength=_BITS_16)
    lower = np.arange(_BITS_16)[:: -1 if pattern >= _BITS_16 // 2 else 1]
    inside = rank - int(ends[place] - counts[place])
    low_bits = int(lower[np.searchsorted(np.cumsum(rest[lower]), inside, side="right")])
    return float(np.array((pattern << 16) | low_bits, np.uint32).view(np.float32))
