"""From annotated objects to regions: one crop of a mask per target, with what was dropped, merged or marked on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from stages.anchor.components import Piece, targets_of
from stages.core.geometry import EmptyMaskError, decode_crop, encode_crop
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
    crowd: bool = False

    @property
    def box_xyxy_px(self) -> list[float]:
        """Tight box in pixel-edge coordinates."""
        height, width = self.mask.shape
        return [float(self.column), float(self.row), float(self.column + width), float(self.row + height)]


def regions_of(sample: Sample, params: AnchorParams) -> tuple[list[Region], list[ItemError], Counter[str]]:
    """Regions of a sample, its unusable objects as error values, and counts by reason (``components.targets_of``, crowd).

    Instance objects stay as given, a crowd only where the source says so; semantic masks are split into targets.
    Regions stand in the order of the objects; targets of semantic masks are numbered from 0 within the label.
    """
    regions: list[Region] = []
    errors: list[ItemError] = []
    counts: Counter[str] = Counter()
    numbered: Counter[str] = Counter()
    for item in sample.objects:
        usable = _usable(sample, item)
        if isinstance(usable, ItemError):
            errors.append(usable)
            continue
        known, whole = usable
        if not item.semantic:
            regions.append(_region(known.name, item.instance, whole, item.mask_rle, item.crowd))
            continue
        targets, reasons = targets_of(whole, known, sample, params)
        counts += reasons
        for name, piece in targets:
            rle = encode_crop(piece.row, piece.column, piece.mask, (sample.height, sample.width))
            regions.append(_region(name, numbered[name], piece, rle, item.crowd or piece.crowd))
            numbered[name] += 1
    counts["crowd"] += sum(region.crowd for region in regions)
    return regions, errors, +counts


def _region(name: str, instance: int, piece: Piece, rle: Rle, crowd: bool) -> Region:
    return Region(name, label(name).kind, instance, piece.row, piece.column, piece.mask, rle, crowd)


def _usable(sample: Sample, item: SampleObject) -> tuple[Label, Piece] | ItemError:
    """The object's label and mask, or what is wrong with it."""
    name = f"object {item.label!r} number {item.instance}"
    try:
        known = label(item.label)
    except UnknownLabelError as error:
        return _error(sample, "unknown_label", str(error))
    if list(item.mask_rle.size) != [sample.height, sample.width]:
        sides = f"{item.mask_rle.size[1]} x {item.mask_rle.size[0]}"
        return _error(sample, "mask_size", f"{name}: its mask is {sides}, the image {sample.width} x {sample.height}")
    try:
        row, column, mask = decode_crop(item.mask_rle)
    except EmptyMaskError:
        return _error(sample, "empty_mask", f"{name}: its mask has no foreground pixel")
    except ValueError as error:
        return _error(sample, "mask_code", f"{name}: its mask cannot be read: {error}")
    return known, Piece(row, column, mask, int(np.count_nonzero(mask)))


def _error(sample: Sample, kind: str, cause: str) -> ItemError:
    return ItemError(item_id=sample.sample_id, stage="anchor", kind=kind, file="", cause=cause)
