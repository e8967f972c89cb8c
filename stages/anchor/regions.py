"""From annotated objects to regions: one crop of a mask per target, strays dropped and counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np

from stages.core.geometry import decode_mask, encode_mask
from stages.core.params import AnchorParams
from stages.core.records import ItemError, Rle, Sample, SampleObject
from stages.knowledge.labels import Label, UnknownLabelError, label


@dataclass(frozen=True)
class Region:
    """One target's mask as a tight boolean crop whose upper left pixel is (``row``, ``column``) of the image."""

    label: str
    kind: str
    instance: int
    row: int
    column: int
    mask: np.ndarray
    rle: Rle

    @property
    def box_xyxy_px(self) -> list[float]:
        """Tight box in pixel-edge coordinates."""
        height, width = self.mask.shape
        return [float(self.column), float(self.row), float(self.column + width), float(self.row + height)]


@dataclass(frozen=True)
class _Piece:
    """A tight crop that has no identity yet."""

    row: int
    column: int
    mask: np.ndarray
    area_px: int


def regions_of(sample: Sample, params: AnchorParams) -> tuple[list[Region], list[ItemError], Counter[str]]:
    """Regions of a sample, its unusable objects as error values, and the counts of dropped components by reason.

    Instance objects stay as given. A semantic mask of a label that comes in several gives one region per
    8-connected component; of any other label one region without its strays. Regions stand in the order of the
    objects, components in the order of their top row, then left column, numbered from 0 within the label.
    """
    regions: list[Region] = []
    errors: list[ItemError] = []
    dropped: Counter[str] = Counter()
    numbered: Counter[str] = Counter()
    for item in sample.objects:
        usable = _usable(sample, item)
        if isinstance(usable, ItemError):
            errors.append(usable)
            continue
        known, mask = usable
        if not item.semantic:
            piece = _tight_piece(mask)
            regions.append(Region(known.name, known.kind, item.instance, piece.row, piece.column, piece.mask, item.mask_rle))
            continue
        kept, counts = _kept_components(mask, params)
        dropped += counts
        for piece in kept if known.several else _joined(kept):
            rle = _full_rle(piece, mask.shape)
            regions.append(Region(known.name, known.kind, numbered[known.name], piece.row, piece.column, piece.mask, rle))
            numbered[known.name] += 1
    return regions, errors, dropped


def _usable(sample: Sample, item: SampleObject) -> tuple[Label, np.ndarray] | ItemError:
    """The object's label and decoded mask (height, width), or what is wrong with it."""
    name = f"object {item.label!r} number {item.instance}"
    try:
        known = label(item.label)
    except UnknownLabelError as error:
        return _error(sample, "unknown_label", str(error))
    if list(item.mask_rle.size) != [sample.height, sample.width]:
        sides = f"{item.mask_rle.size[1]} x {item.mask_rle.size[0]}"
        return _error(sample, "mask_size", f"{name}: its mask is {sides}, the image {sample.width} x {sample.height}")
    mask = decode_mask(item.mask_rle)
    if not mask.any():
        return _error(sample, "empty_mask", f"{name}: its mask has no foreground pixel")
    return known, mask


def _error(sample: Sample, kind: str, cause: str) -> ItemError:
    return ItemError(item_id=sample.sample_id, stage="anchor", kind=kind, file="", cause=cause)


def _tight_piece(mask: np.ndarray) -> _Piece:
    # Decoded masks lie column by column in memory; transposed, OpenCV reads them without a copy.
    row, column, height, width = cv2.boundingRect(mask.T.view(np.uint8))
    crop = np.ascontiguousarray(mask[row : row + height, column : column + width])
    return _Piece(row, column, crop, int(np.count_nonzero(crop)))


def _kept_components(mask: np.ndarray, params: AnchorParams) -> tuple[list[_Piece], Counter[str]]:
    """8-connected components that are no strays, in reading order of (top row, left column); and what was dropped."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    largest = int(stats[1:, cv2.CC_STAT_AREA].max())
    kept: list[_Piece] = []
    dropped: Counter[str] = Counter()
    for number in range(1, count):
        column, row, width, height, area = (int(value) for value in stats[number])
        if area < params.min_component_px:
            dropped["below_min_px"] += 1
        elif area < params.min_component_fraction * largest:
            dropped["below_min_fraction"] += 1
        else:
            kept.append(_Piece(row, column, labels[row : row + height, column : column + width] == number, area))
    return sorted(kept, key=lambda piece: (piece.row, piece.column, piece.area_px)), dropped


def _joined(pieces: list[_Piece]) -> list[_Piece]:
    """One piece that holds all of them: an organ stays whole when the plane cuts it twice."""
    if len(pieces) < 2:
        return pieces
    row, column = min(piece.row for piece in pieces), min(piece.column for piece in pieces)
    bottom = max(piece.row + piece.mask.shape[0] for piece in pieces)
    right = max(piece.column + piece.mask.shape[1] for piece in pieces)
    whole = np.zeros((bottom - row, right - column), bool)
    for piece in pieces:
        paste(whole, piece.mask, piece.row - row, piece.column - column)
    return [_Piece(row, column, whole, sum(piece.area_px for piece in pieces))]


def paste(canvas: np.ndarray, crop: np.ndarray, row: int, column: int) -> None:
    """Or a boolean crop into a boolean canvas, in place; the crop must lie inside the canvas."""
    canvas[row : row + crop.shape[0], column : column + crop.shape[1]] |= crop


def _full_rle(piece: _Piece, shape: tuple[int, ...]) -> Rle:
    full = np.zeros(shape, bool, order="F")
    paste(full, piece.mask, piece.row, piece.column)
    return encode_mask(full)
