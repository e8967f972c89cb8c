"""Boxes, masks, run-length codes and overlap.

Space: ``box_xyxy_px`` is float, original image pixels, pixel-edge and half-open. Mask pixel (r, c) covers
[c, c+1) x [r, r+1), so the tight box of a mask is [cmin, rmin, cmax+1, rmax+1] and ``x1 - x0`` is its width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco_mask

from stages.core.records import Rle


class EmptyMaskError(ValueError):
    """A mask without foreground has no box."""


def tight_box(mask: np.ndarray) -> list[float]:
    """Tight ``box_xyxy_px`` of a boolean mask of shape (height, width).

    Raises:
        EmptyMaskError: no pixel is set.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        raise EmptyMaskError("the mask has no foreground pixel, so it has no box")
    columns = np.flatnonzero(mask.any(axis=0))
    return [float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)]


def encode_mask(mask: np.ndarray) -> Rle:
    """COCO compressed RLE of a boolean mask (height, width)."""
    code = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return Rle(size=[int(side) for side in code["size"]], counts=code["counts"].decode("ascii"))


def decode_mask(rle: Rle) -> np.ndarray:
    """Boolean mask (height, width) of a COCO RLE."""
    return coco_mask.decode({"size": rle.size, "counts": rle.counts.encode("ascii")}).astype(bool)


def box_area(box: Sequence[float]) -> float:
    """Area in square pixels; 0 for a degenerate box."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union (Jaccard, 1912) of two ``box_xyxy_px``; in [0, 1], symmetric, 1 for equal boxes of positive area."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (box_area(a) + box_area(b) - shared)


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pairwise IoU of boxes of shape (n, 4) and (m, 4); result (n, m)."""
    a, b = np.asarray(a, float).reshape(-1, 4), np.asarray(b, float).reshape(-1, 4)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas_a = np.prod(np.clip(a[:, 2:] - a[:, :2], 0, None), axis=1)
    areas_b = np.prod(np.clip(b[:, 2:] - b[:, :2], 0, None), axis=1)
    union = areas_a[:, None] + areas_b[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def check_box(box: Sequence[float], width: int, height: int, owner: str) -> list[float]:
    """The box as floats if it is finite, not reversed and inside the image; else a ValueError that names ``owner``."""
    if len(box) != 4 or not all(math.isfinite(value) for value in box):
        raise ValueError(f"{owner}: a box needs four finite numbers [x0, y0, x1, y1], got {list(box)}")
    x0, y0, x1, y1 = (float(value) for value in box)
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise ValueError(f"{owner}: box {[x0, y0, x1, y1]} is reversed, empty or outside the image of {width} x {height}")
    return [x0, y0, x1, y1]
