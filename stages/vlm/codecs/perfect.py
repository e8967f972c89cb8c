"""What a perfect answer of a codec is worth, and what the usual mistakes cost: the arithmetic, for many boxes at once.

Boxes are float arrays (n, 4) in shares of the image's sides (0 to 1), x0, y0, x1, y1, so that the image's size matters
only where a family pads or resizes. A test compares each with the codec's own text, there and back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.vlm.codecs.kosmos2 import Patches
from stages.vlm.codecs.medgemma import PaddedSteps, square_padding
from stages.vlm.codecs.qwen2_5 import SeenPixels
from stages.vlm.codecs.spaces import Bins, Space, Steps

Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Picture:
    """Sizes in pixels, (width, height): the original, and what a model of absolute pixels sees of it."""

    size: tuple[int, int]
    seen: tuple[int, int]


def _rounded(values: Boxes, highest: Boxes) -> Boxes:
    """See spaces.rounded."""
    exact = values * highest
    numbers = np.round(exact)
    empty = np.tile(numbers[:, :2] >= numbers[:, 2:], 2)
    outward = np.concatenate([np.floor(exact[:, :2]), np.ceil(exact[:, 2:])], axis=1)
    chosen: Boxes = np.where(empty, outward, numbers)
    return chosen


def _steps(space: Steps, boxes: Boxes, picture: Picture) -> Boxes:
    return _rounded(boxes, np.full(4, float(space.steps))) / space.steps


def _bins(space: Bins, boxes: Boxes, picture: Picture) -> Boxes:
    return (_binned(boxes, space.bins) + 0.5) / space.bins


def _binned(boxes: Boxes, bins: int) -> Boxes:
    found = np.minimum(np.floor(boxes * bins), bins - 1)
    thin = found[:, :2] >= found[:, 2:]
    far = np.where(thin, np.minimum(found[:, :2] + 1, bins - 1), found[:, 2:])
    return np.concatenate([np.where(thin, far - 1, found[:, :2]), far], axis=1)


def _pixels(space: SeenPixels, boxes: Boxes, picture: Picture) -> Boxes:
    seen = np.array(picture.seen * 2, dtype=np.float64)
    return _rounded(boxes, seen) / seen


def _padded(space: PaddedSteps, boxes: Boxes, picture: Picture) -> Boxes:
    numbers, size, (side, left, top) = _padded_numbers(space.steps, boxes, picture)
    raw = numbers / space.steps * side - np.array([left, top] * 2)
    cut: Boxes = np.clip(raw / size, 0, 1)
    return cut


def _padded_numbers(steps: int, boxes: Boxes, picture: Picture) -> tuple[Boxes, Boxes, tuple[int, int, int]]:
    size = np.array(picture.size * 2, dtype=np.float64)
    side, left, top = square_padding(*picture.size)
    shares = (boxes * size + np.array([left, top] * 2)) / side
    return _rounded(shares, np.full(4, float(steps))), size, (side, left, top)


def _patches(space: Patches, boxes: Boxes, picture: Picture) -> Boxes:
    side = round(1 / space.quantum)
    near = np.minimum(np.floor(boxes[:, :2] * side), side - 1)
    far = np.maximum(np.ceil(boxes[:, 2:] * side) - 1, near)
    whole = (near == far).any(axis=1, keepdims=True)
    return np.concatenate([near + np.where(whole, 0.0, 0.5), far + np.where(whole, 1.0, 0.5)], axis=1) / side


ROUND_TRIPS: dict[type, Callable[[Any, Boxes, Picture], Boxes]] = {
    Steps: _steps,
    Bins: _bins,
    SeenPixels: _pixels,
    PaddedSteps: _padded,
    Patches: _patches,
}


def there_and_back(space: Space, boxes: Boxes, picture: Picture) -> Boxes:
    """Boxes as they come back when a codec of that space writes and reads them."""
    return ROUND_TRIPS[type(space)](space, boxes, picture)


def _swapped(boxes: Boxes, picture: Picture) -> Boxes:
    return _steps(Steps(1000), boxes, picture)[:, [1, 0, 3, 2]]


def _flipped(boxes: Boxes, picture: Picture) -> Boxes:
    x0, y0, x1, y1 = _steps(Steps(1000), boxes, picture).T
    return np.stack([x0, 1 - y1, x1, 1 - y0], axis=1)


def _unresized(boxes: Boxes, picture: Picture) -> Boxes:
    ratio: Boxes = np.array(picture.seen * 2) / np.array(picture.size * 2)
    return _pixels(SeenPixels(), boxes, picture) * ratio


def _unpadded(boxes: Boxes, picture: Picture) -> Boxes:
    return _padded_numbers(1000, boxes, picture)[0] / 1000


# What the decoder does wrong with a perfect answer, and whose answer it is.
MISTAKES: dict[str, Callable[[Boxes, Picture], Boxes]] = {
    "x and y swapped (0-1000)": _swapped,
    "y counted from below (0-1000)": _flipped,
    "resize forgotten (qwen2_5)": _unresized,
    "padding forgotten (medgemma)": _unpadded,
    "bin without its centre (florence2)": lambda boxes, picture: _binned(boxes, 1000) / 1000,
    "divided by 1024 (paligemma)": lambda boxes, picture: _steps(Steps(1023), boxes, picture) * (1023 / 1024),
}


def mean_iou(boxes: Boxes, others: Boxes) -> float:
    """Mean intersection over union of boxes with their counterparts, (n, 4) each."""
    near, far = np.maximum(boxes[:, :2], others[:, :2]), np.minimum(boxes[:, 2:], others[:, 2:])
    both = np.clip(far - near, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (others[:, 2:] - others[:, :2]).prod(axis=1)
    return float(np.mean(both / (areas - both)))
