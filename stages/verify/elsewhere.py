"""Masks and pictures in which a mask does not lie on its object: laid elsewhere, too small or large, the object removed.

The image judge learns from these what the absence of a class looks like (``norms``); the audit plants its own.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import cv2
import numpy as np

from stages.core.geometry import iou, tight_box
from stages.verify.extent import diameter_px, window
from stages.verify.picture import Picture

# A mask is off the objects of its kind when their masks hold at most this share of it, and no box of theirs overlaps
# its box by more than this.
MOST_COVERED = 0.15
MOST_IOU = 0.1
_TRIES = 24
_LEAST_PX = 16


def moved(mask: np.ndarray, dx: int, dy: int) -> np.ndarray | None:
    """The mask displaced by whole pixels; None where that would cut it off at the picture's edge."""
    x0, y0, x1, y1 = (int(side) for side in tight_box(mask))
    height, width = mask.shape
    if x0 + dx < 0 or y0 + dy < 0 or x1 + dx > width or y1 + dy > height:
        return None
    out = np.zeros_like(mask)
    out[y0 + dy : y1 + dy, x0 + dx : x1 + dx] = mask[y0:y1, x0:x1]
    return out


def is_off(mask: np.ndarray, kin: np.ndarray, kin_boxes: list[list[float]]) -> bool:
    """Whether a mask lies off every object of its kind: ``kin`` is the union of their masks, ``kin_boxes`` their boxes."""
    box = tight_box(mask)
    return int((mask & kin).sum()) <= MOST_COVERED * int(mask.sum()) and all(iou(box, other) <= MOST_IOU for other in kin_boxes)


def shifted(mask: np.ndarray, lengths: tuple[float, float], rng: Random, accept: Callable[[np.ndarray], bool]) -> np.ndarray | None:
    """The mask displaced in a random direction by ``lengths`` (least, most) of its own box; None when nothing fits."""
    x0, y0, x1, y1 = tight_box(mask)
    for _ in range(_TRIES):
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(*lengths)
        x, y = float(np.cos(angle)), float(np.sin(angle))
        reach = length / max(abs(x) / (x1 - x0), abs(y) / (y1 - y0))
        found = moved(mask, round(reach * x), round(reach * y))
        if found is not None and accept(found):
            return found
    return None


def anywhere(mask: np.ndarray, rng: Random, accept: Callable[[np.ndarray], bool]) -> np.ndarray | None:
    """The mask at a random place of the picture; None when nothing fits."""
    x0, y0, x1, y1 = (int(side) for side in tight_box(mask))
    height, width = mask.shape
    for _ in range(_TRIES):
        found = moved(mask, rng.randint(0, width - (x1 - x0)) - x0, rng.randint(0, height - (y1 - y0)) - y0)
        if found is not None and accept(found):
            return found
    return None


def resized(mask: np.ndarray, factor: float) -> np.ndarray | None:
    """The mask scaled about the middle of its box; None when little of it is left or it outgrows the picture."""
    x0, y0, x1, y1 = tight_box(mask)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    onto = np.array([[factor, 0, x * (1 - factor)], [0, factor, y * (1 - factor)]], np.float32)
    height, width = mask.shape
    out = cv2.warpAffine(mask.astype(np.uint8), onto, (width, height), flags=cv2.INTER_NEAREST) > 0
    grown = factor > 1 and int(out.sum()) < 0.8 * factor**2 * int(mask.sum())
    return None if grown or int(out.sum()) < _LEAST_PX else out


def redrawn(mask: np.ndarray, rng: Random, times: int) -> list[np.ndarray | None]:
    """The mask as other annotators may have drawn it: up to 8 % larger or smaller, up to 5 % of its box aside."""
    x0, y0, x1, y1 = tight_box(mask)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    found: list[np.ndarray | None] = []
    for _ in range(times):
        factor = rng.uniform(0.92, 1.08)
        dx, dy = rng.uniform(-0.05, 0.05) * (x1 - x0), rng.uniform(-0.05, 0.05) * (y1 - y0)
        onto = np.array([[factor, 0, x * (1 - factor) + dx], [0, factor, y * (1 - factor) + dy]], np.float32)
        out = cv2.warpAffine(mask.astype(np.uint8), onto, (mask.shape[1], mask.shape[0]), flags=cv2.INTER_NEAREST) > 0
        found.append(out if int(out.sum()) >= _LEAST_PX else None)
    return found


def widened(mask: np.ndarray) -> np.ndarray:
    """The mask and the rim around it over which an object's edge fades: a tenth of its diameter, 1 to 6 pixels."""
    rim = int(np.clip(0.1 * diameter_px(mask), 1, 6))
    return cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))) > 0


def covered_by_neighbourhood(picture: Picture, mask: np.ndarray, source: np.ndarray) -> Picture:
    """The picture with the mask's place covered by what lies under ``source`` (the mask displaced), with a soft rim."""
    from_box, to_box = tight_box(source), tight_box(mask)
    dx, dy = int(from_box[0] - to_box[0]), int(from_box[1] - to_box[1])
    rows, columns = window(mask, 24)
    blend = cv2.GaussianBlur(widened(mask)[rows, columns].astype(np.float32), (0, 0), float(np.clip(0.08 * diameter_px(mask), 1, 4)))
    picked = np.ix_(
        np.clip(np.arange(rows.start, rows.stop) + dy, 0, mask.shape[0] - 1),
        np.clip(np.arange(columns.start, columns.stop) + dx, 0, mask.shape[1] - 1),
    )
    return _replaced(picture, rows, columns, blend, lambda channel: channel[picked])


def smoothed_over(picture: Picture, mask: np.ndarray, rng: Random) -> Picture:
    """The picture with the mask's place filled from its rim (Bertalmio, Bertozzi and Sapiro, 2001) and the rim's grain."""
    rows, columns = window(mask, 24)
    hole = widened(mask)[rows, columns]
    noise = np.random.default_rng(rng.getrandbits(32))

    def fill(channel: np.ndarray) -> np.ndarray:
        part = channel[rows, columns]
        grain = part - cv2.GaussianBlur(part, (0, 0), 2.0)
        spread = 1.4826 * float(np.median(np.abs(grain[~hole]))) if not hole.all() else 0.0
        smooth = _filled(part, hole)
        return np.clip(smooth + noise.normal(0, spread, part.shape), 0, 255).astype(np.float32)

    return _replaced(picture, rows, columns, hole.astype(np.float32), fill)


def scrambled(picture: Picture, mask: np.ndarray, rng: Random) -> Picture:
    """The picture with the mask's place filled with pixels of its surroundings in no order, more or less smooth."""
    rows, columns = window(mask, 24)
    hole = widened(mask)[rows, columns]
    draw = np.random.default_rng(rng.getrandbits(32))
    picked, sigma = draw.integers(0, max(1, int((~hole).sum())), size=hole.shape), rng.uniform(0.3, 2.0)

    def fill(channel: np.ndarray) -> np.ndarray:
        part = channel[rows, columns]
        around = part[~hole] if not hole.all() else part.ravel()
        return cv2.GaussianBlur(around[picked], (0, 0), sigma)

    return _replaced(picture, rows, columns, hole.astype(np.float32), fill)


def _filled(part: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The part with its hole filled, at a scale where the hole is small: the fill has no detail anyway."""
    scale = min(1.0, 48 / diameter_px(hole))
    size = (max(8, round(part.shape[1] * scale)), max(8, round(part.shape[0] * scale)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA).clip(0, 255).astype(np.uint8)
    there = (cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    filled = cv2.inpaint(small, there, 3, cv2.INPAINT_NS)
    return cv2.resize(filled.astype(np.float32), (part.shape[1], part.shape[0]), interpolation=cv2.INTER_LINEAR)


def _replaced(picture: Picture, rows: slice, columns: slice, blend: np.ndarray, fill: Callable[[np.ndarray], np.ndarray]) -> Picture:
    """The picture with a window's channels mixed with what ``fill`` makes of the whole channel; ``blend`` is its share."""

    def mixed(channel: np.ndarray) -> np.ndarray:
        out = channel.copy()
        out[rows, columns] = out[rows, columns] * (1 - blend) + fill(channel) * blend
        return out

    chroma = picture.chroma
    if chroma is not None:
        chroma = np.stack([mixed(np.ascontiguousarray(chroma[..., axis])) for axis in (0, 1)], axis=-1)
    return Picture(mixed(picture.grey), picture.below, chroma)
