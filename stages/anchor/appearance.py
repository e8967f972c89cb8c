"""Grey levels of a region and of the ring around it."""

from __future__ import annotations

import cv2
import numpy as np

from stages.anchor.regions import Region, paste
from stages.core.records import Appearance

_DIGITS = 4


def grey_image(image_png: bytes) -> np.ndarray | None:
    """The stored picture as grey levels (height, width) uint8, colour by ITU-R BT.601 luma; None when unreadable."""
    return cv2.imdecode(np.frombuffer(image_png, np.uint8), cv2.IMREAD_GRAYSCALE) if image_png else None


def label_unions(regions: list[Region], shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """For each label, the boolean union (height, width) of its regions."""
    unions: dict[str, np.ndarray] = {}
    for region in regions:
        canvas = unions.setdefault(region.label, np.zeros(shape, bool))
        paste(canvas, region.mask, region.row, region.column)
    return unions


def appearance_of(grey: np.ndarray, region: Region, same_label: np.ndarray, ring_px: int) -> Appearance:
    """Grey levels inside the region and in a ring of ``ring_px`` around it that leaves out objects of the same label.

    ``grey`` and ``same_label`` are (height, width). Pixels of a hole within ``ring_px`` of its edge belong to the
    ring. Contrast to noise is None where the ring has no spread.
    """
    inside = _crop(grey, region, 0)[region.mask].astype(np.float64)
    ring = _crop(grey, region, ring_px)[_ring(region, same_label, ring_px)].astype(np.float64)
    mean, std = float(inside.mean()), float(inside.std())
    if ring.size == 0:
        return Appearance(round(mean, _DIGITS), round(std, _DIGITS), None, None, None, None)
    ring_mean, ring_std = float(ring.mean()), float(ring.std())
    contrast = mean - ring_mean
    return Appearance(
        mean=round(mean, _DIGITS),
        std=round(std, _DIGITS),
        ring_mean=round(ring_mean, _DIGITS),
        ring_std=round(ring_std, _DIGITS),
        contrast=round(contrast, _DIGITS),
        contrast_to_noise=round(contrast / ring_std, _DIGITS) if ring_std > 0 else None,
    )


def _window(shape: tuple[int, ...], region: Region, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the region's crop, widened by ``margin`` and cut at the image's border."""
    height, width = region.mask.shape
    rows = slice(max(0, region.row - margin), min(shape[0], region.row + height + margin))
    columns = slice(max(0, region.column - margin), min(shape[1], region.column + width + margin))
    return rows, columns


def _crop(image: np.ndarray, region: Region, margin: int) -> np.ndarray:
    return image[_window(image.shape, region, margin)]


def _ring(region: Region, same_label: np.ndarray, ring_px: int) -> np.ndarray:
    """Boolean ring on the widened crop. A distance transform of the crop costs a thousandth of a full-image dilation."""
    rows, columns = _window(same_label.shape, region, ring_px)
    outside = np.ones((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    top, left = region.row - rows.start, region.column - columns.start
    outside[top : top + region.mask.shape[0], left : left + region.mask.shape[1]] = ~region.mask
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return (distance <= ring_px) & ~same_label[rows, columns]
