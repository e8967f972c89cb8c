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


def run_lengths(rle: Rle) -> np.ndarray:
    """Run lengths (n,) of a COCO RLE, column by column, background first; they add up to the image's pixels.

    COCO's compressed string holds five bits a character, the lowest first, a sixth says that more follow; from the
    fourth number on each is the difference to the one two places before.

    Raises:
        ValueError: the string is broken, or its runs do not fill an image of ``size``.
    """
    code = np.frombuffer(rle.counts.encode("ascii", errors="replace"), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((code & 32) == 0)
    if code.size == 0 or code.min() < 0 or code.max() > 63 or ends.size == 0 or ends[-1] != code.size - 1:
        raise ValueError("the run-length code is empty, broken off or holds a foreign character")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 12:
        raise ValueError("the run-length code holds a number of more than 60 bits")
    shifts = 5 * (np.arange(code.size) - np.repeat(starts, lengths))
    runs = np.add.reduceat((code & 31) << shifts, starts) - np.where(code[ends] & 16, 1 << 5 * lengths, 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    height, width = rle.size
    if runs.min() < 0 or runs.sum() != height * width:
        raise ValueError(f"its runs add up to {int(runs.sum())} pixels, the image has {height} x {width}")
    return runs


def decode_crop(rle: Rle) -> tuple[int, int, np.ndarray]:
    """Row and column of the upper left pixel of a mask's tight box, and the boolean crop of it.

    The work follows the box's columns and not the image's size.

    Raises:
        EmptyMaskError: no pixel is set.
        ValueError: the code describes no mask of ``size`` (``run_lengths``).
    """
    edges = np.cumsum(run_lengths(rle))
    first, last = edges[0 : edges.size // 2 * 2 : 2], edges[1::2]
    first, last = first[first < last], last[first < last]
    if first.size == 0:
        raise EmptyMaskError("the mask has no foreground pixel, so it has no box")
    height = rle.size[0]
    left, right = int(first[0] // height), int((last[-1] - 1) // height) + 1
    steps = np.zeros((right - left) * height + 1, np.int8)
    steps[first - left * height] += 1
    steps[last - left * height] -= 1
    columns = np.cumsum(steps[:-1], dtype=np.int8).view(bool).reshape(right - left, height)
    rows = np.flatnonzero(columns.any(axis=0))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    return top, left, np.ascontiguousarray(columns[:, top:bottom].T)


def encode_crop(row: int, column: int, crop: np.ndarray, shape: tuple[int, int]) -> Rle:
    """COCO RLE of a mask of ``shape`` (height, width) that is empty but for a boolean crop at (``row``, ``column``)."""
    height, width = shape
    padded = np.zeros((crop.shape[1], crop.shape[0] + 2), np.int8)
    padded[:, 1:-1] = crop.T
    columns, rows = np.nonzero(np.diff(padded, axis=1))
    edges = (columns + column) * height + rows + row
    first, last = edges[0::2], edges[1::2]
    # A run that reaches the bottom of its column goes on at the top of the next one.
    ends = np.append(last[:-1] != first[1:], True)[: last.size]
    begins = np.append(True, ends[:-1])[: first.size]
    edges = np.stack([first[begins], last[ends]], axis=1).ravel()
    runs = np.diff(edges, prepend=0, append=height * width).tolist()
    # Of a mask that fills the last pixel nothing is left over.
    code = coco_mask.frPyObjects({"size": [height, width], "counts": runs if runs[-1] else runs[:-1]}, height, width)
    return Rle(size=[height, width], counts=code["counts"].decode("ascii"))


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
