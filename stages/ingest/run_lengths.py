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


def crop_of_runs(starts: np.ndarray, lengths: np.ndarray, shape: tuple[int, int], by_columns: bool) -> tuple[np.ndarray, tuple[int, int]]:
    """Mask of runs of pixels, as a boolean crop and its corner (row, column).

    ``starts`` count from 0, down the columns of an image of ``shape`` (height, width), or along its rows.

    Raises:
        RunLengthError: a run is not positive, leaves the image, or shares a pixel with another; or there is none.
    """
    height, width = shape
    if starts.size == 0:
        raise RunLengthError("there is no run")
    if (lengths <= 0).any():
        raise RunLengthError(f"run {int(np.argmax(lengths <= 0)) + 1} has the length {int(lengths[lengths <= 0][0])}: lengths are at least 1")
    ends = starts + lengths
    outside = (starts < 0) | (ends > height * width)
    if outside.any():
        at = int(np.argmax(outside))
        raise RunLengthError(f"run {at + 1} covers pixels {int(starts[at])} to {int(ends[at]) - 1} (from 0), the image of {width} x {height} has {height * width}")
    order = np.argsort(starts, kind="stable")
    if (ends[order][:-1] > starts[order][1:]).any():
        raise RunLengthError(f"runs overlap at pixel {int(starts[order][1:][ends[order][:-1] > starts[order][1:]][0])}")
    side = height if by_columns else width
    first, last = int(starts.min()) // side, (int(ends.max()) - 1) // side + 1
    turns = np.zeros((last - first) * side + 1, np.int8)
    # Runs that meet share a place, where one ends and the next begins: no turn.
    np.add.at(turns, starts - first * side, 1)
    np.add.at(turns, ends - first * side, -1)
    lines = np.cumsum(turns[:-1], dtype=np.int8).astype(bool).reshape(last - first, side)
    across = np.flatnonzero(lines.any(axis=0))
    low, high = int(across[0]), int(across[-1]) + 1
    crop = lines[:, low:high]
    return (np.ascontiguousarray(crop.T), (low, first)) if by_columns else (crop, (first, low))


def counts_of_text(text: str) -> np.ndarray:
    """Counts of COCO's compressed text (base 32 with a continuation bit; from the third count on, differences to two before).

    Decoded here and not in pycocotools, which trusts the counts and writes beyond the image where they are wrong.

    Raises:
        RunLengthError: the text ends within a number.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        part = ord(character) - 48
        if not 0 <= part < 64:
            raise RunLengthError(f"the compressed counts hold the character {character!r}")
        value |= (part & 31) << shift
        shift += 5
        if part & 32:
            continue
        if part & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise RunLengthError("the compressed counts end within a number")
    return np.array(counts, np.int64)


def crop_of_counts(counts: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """Mask of COCO's alternating counts (background first, down the columns), as a boolean crop and its corner.

    Raises:
        RunLengthError: the counts do not add up to the image's pixels, one is negative, or nothing is foreground.
    """
    total = shape[0] * shape[1]
    if (counts < 0).any() or int(counts.sum()) != total:
        raise RunLengthError(f"its counts add up to {int(counts.sum())}, the image of {shape[1]} x {shape[0]} has {total} pixels")
    ends = np.cumsum(counts)
    lengths, starts = counts[1::2], ends[0:-1:2]
    filled = lengths > 0
    return crop_of_runs(starts[filled], lengths[filled], shape, by_columns=True)
