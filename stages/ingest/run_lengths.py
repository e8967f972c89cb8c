"""Masks and run lengths: the code that samples store, and the runs that some sources publish."""

from __future__ import annotations

import numpy as np
from pycocotools import mask as coco_mask

from stages.core.records import Rle


class RunLengthError(ValueError):
    """Run lengths that describe no mask of the image; the message says what is wrong with them."""


def encode_crop(crop: np.ndarray, corner: tuple[int, int], shape: tuple[int, int]) -> Rle:
    """COCO compressed RLE of a mask of ``shape`` (height, width) that is empty outside ``crop``.

    ``corner`` is (row, column) of the crop's first pixel. The code is the one that pycocotools gives for the whole
    mask, found from the edges of the crop alone: the work follows the object's size and not the image's.
    """
    height, width = shape
    top, left = corner
    columns = np.zeros((crop.shape[1], crop.shape[0] + 2), np.int8)
    columns[:, 1:-1] = crop.T
    column, row = np.nonzero(columns[:, 1:] != columns[:, :-1])
    edges = (column + left) * height + row + top
    # A run that ends with its column and goes on at the top of the next one is one run.
    joined = np.flatnonzero(edges[1:-1:2] == edges[2::2])
    edges = np.delete(edges, np.concatenate([2 * joined + 1, 2 * joined + 2]))
    counts = np.diff(edges, prepend=0)
    if not edges.size or edges[-1] < height * width:
        counts = np.append(counts, height * width - (edges[-1] if edges.size else 0))
    code = coco_mask.frPyObjects({"size": [height, width], "counts": counts.tolist()}, height, width)
    return Rle(size=[height, width], counts=code["counts"].decode("ascii"))


def encode_whole(mask: np.ndarray) -> Rle:
    """COCO compressed RLE of a boolean mask (height, width)."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return encode_crop(mask[:0, :0], (0, 0), (height, width))
    top, left = int(rows[0]), int(columns[0])
    return encode_crop(mask[top : rows[-1] + 1, left : columns[-1] + 1], (top, left), (height, width))
