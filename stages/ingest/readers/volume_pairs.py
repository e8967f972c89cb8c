"""Image volume + label volume (NIfTI, or any format that ITK reads) -> informative slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stages.core.params import ParamError
from stages.core.volume import PLANE_AXIS, Volume, VolumeError, plane_slice, plane_spacing, read_volume, same_geometry, window_to_8bit
from stages.ingest.card import Card
from stages.ingest.faults import Fault
from stages.ingest.files import Case, Found, tie_by_name
from stages.ingest.objects import ObjectMask, from_codes
from stages.ingest.readers.base import Picture, Reading, Source
from stages.ingest.slices import choose_slices

# A volume may hold as many voxels as so many pictures of the largest allowed size hold pixels.
PICTURES_PER_VOLUME = 10


class VolumePairs:
    """Semantic label volumes on the grid of their image volume. The card's ``plane`` says how to cut (axial by default)."""

    def find(self, card: Card, root: Path) -> Found:
        """Pairs by the parts of their paths."""
        return tie_by_name(card, root)

    def read(self, case: Case, source: Source) -> Reading:
        """Both volumes in LPS, intensities by the card's rule, the slices that show most."""
        if len(case.masks) != 1:
            raise Fault(
                "several_masks", case.image, f"{len(case.masks)} label volumes fit this image, expected one: narrow the card's mask pattern"
            )
        mask_path = case.masks[0].path
        image, labels = _read(case.image, source), _read(mask_path, source)
        if image.array.shape != labels.array.shape:
            raise Fault(
                "mask_size",
                mask_path,
                f"label volume {labels.array.shape} against image {image.array.shape} [z, y, x]: export it on the image's grid",
            )
        if not same_geometry(image, labels):
            raise Fault(
                "geometry_mismatch",
                mask_path,
                "label and image volumes lie at different places (origin, spacing or direction): mend the headers",
            )
        codes = _whole_numbers(labels.array, mask_path)
        objects = from_codes(codes, {int(code): str(int(code)) for code in np.unique(codes)}, source.card, mask_path)
        grey, transform = to_grey(image.array, source.card, case.image)
        return Reading(_cut(image, grey, transform, objects, source), [])


def _read(path: str, source: Source) -> Volume:
    try:
        return read_volume(source.root / path, source.limits.max_pixels * PICTURES_PER_VOLUME)
    except VolumeError as error:
        raise Fault(error.kind, path, str(error)) from error


def _whole_numbers(array: np.ndarray, path: str) -> np.ndarray:
    """Label values as integers; a fault when the volume holds fractions (a label volume that was interpolated)."""
    codes = np.rint(array).astype(np.int64)
    if not np.array_equal(codes, array):
        raise Fault("bad_mask_values", path, "the label volume holds fractions: it was interpolated; resample labels by nearest neighbour")
    return codes


def to_grey(array: np.ndarray, card: Card, path: str) -> tuple[np.ndarray, dict[str, Any]]:
    """8-bit volume by the card's intensity rule, and the rule with its numbers.

    Raises:
        Fault: the volume is constant where the rule needs a range.
        ParamError: the card asks for stored values of a volume that is not 8 bit.
    """
    rule = card.intensity
    if rule.kind == "stored":
        if array.dtype != np.uint8:
            raise ParamError(
                f"card {card.name}: intensity kind 'stored' needs 8-bit volumes, {path} holds {array.dtype}: use window or percentiles"
            )
        return array, {"kind": "stored"}
    if rule.kind == "window":
        assert rule.level is not None and rule.width is not None  # load_card checked it
        low, high = rule.level - rule.width / 2, rule.level + rule.width / 2
        return window_to_8bit(array, low, high), {"kind": "window", "level": rule.level, "width": rule.width}
    low, high = (float(value) for value in np.percentile(array, [rule.low, rule.high]))
    if not high > low:
        raise Fault("flat_image", path, f"percentiles {rule.low} and {rule.high} of the volume are both {low}: nothing to see")
    return window_to_8bit(array, low, high), {"kind": "percentiles", "percent": [rule.low, rule.high], "low": low, "high": high}


def _cut(image: Volume, grey: np.ndarray, transform: dict[str, Any], objects: list[ObjectMask], source: Source) -> list[Picture]:
    plane: Any = source.card.plane or "axial"
    axis = PLANE_AXIS[plane]
    others = tuple(a for a in range(3) if a != axis)
    areas = np.stack([item.mask.sum(axis=others) for item in objects])
    limits = source.limits
    pictures = []
    for index in choose_slices(areas, limits.max_slices_per_volume, limits.min_slice_gap, limits.min_object_px):
        shown = [
            ObjectMask(o.label, o.source, o.semantic, plane_slice(o.mask, plane, index))
            for o, area in zip(objects, areas[:, index], strict=True)
            if area
        ]
        known = image.source_axes is not None
        pictures.append(
            Picture(
                view=f"{plane}-{index:03d}",
                pixels=plane_slice(grey, plane, index),
                spacing_mm=plane_spacing(image.spacing_mm, plane),
                image_left_is="patient_right" if known and plane != "sagittal" else None,
                plane=plane,
                slice_index=index,
                transform=transform,
                objects=shown,
                flags=[] if known else ["orientation_unknown"],
            )
        )
    return pictures
