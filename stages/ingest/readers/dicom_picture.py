"""Single DICOM pictures (radiographs, mammograms, ultrasound, secondary captures): pixels, size, sides, masks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.core.volume import window_to_8bit
from stages.ingest.card import Card
from stages.ingest.cases import Case
from stages.ingest.faults import Fault
from stages.ingest.intensity import grey_rule, percentiles
from stages.ingest.readers.base import Picture, Reading, Source
from stages.ingest.readers.dicom_identity import identifying_attributes
from stages.ingest.readers.dicom_masks import Target, read_masks
from stages.ingest.readers.dicom_pixels import decoded, header_flags, header_window, in_units, is_inverted, to_rgb, windowed

if TYPE_CHECKING:
    from pydicom import Dataset

_GREY = ("MONOCHROME1", "MONOCHROME2")
# Grey range, in percent, of wide pictures where neither card nor header says another one.
_WIDE_PERCENTILES = [0.5, 99.5]
# PS3.3 C.8.5.5: a region with two axes in space, in centimetres.
_SPATIAL_2D, _CENTIMETRES = 1, 3


def read_picture(case: Case, source: Source, dataset: Dataset) -> Reading:
    """One picture with its masks.

    Raises:
        Fault: several frames and no ``channel`` in the card, unreadable pixels, or a mask that does not fit.
    """
    card, file = source.card, case.image
    frames, meaning = decoded(dataset, file, source.limits.max_pixels)
    frame = _frame(len(frames), card, file)
    pixels, transform, flags = _to_8bit(frames[frame], dataset, meaning, frame, card, file)
    spacing, spacing_from = _spacing(dataset)
    if spacing_from == "ImagerPixelSpacing":
        flags.append("spacing_at_detector")
    elif spacing is None and case.spacing_mm:
        spacing, spacing_from = case.spacing_mm, "card"
    left, turned = _sides(dataset, card)
    size = (pixels.shape[0], pixels.shape[1])
    marked = read_masks(case, source, Target(None, None, [str(dataset.get("SOPInstanceUID", ""))], size, None), None)
    picture = Picture(
        view=case.view,
        pixels=pixels,
        spacing_mm=spacing,
        image_left_is=left,
        plane=card.plane,
        slice_index=None,
        transform={**transform, **({"spacing_from": spacing_from} if spacing_from else {})},
        objects=marked.objects,
        incomplete=sorted(set(card.annotated_labels) - marked.declared) if case.masks else [],
        flags=sorted({*flags, *turned, *header_flags(dataset), *marked.flags}),
    )
    return Reading([picture], [], Counter(identifying_attributes(dataset)) + Counter(marked.dropped))


def _frame(count: int, card: Card, file: str) -> int:
    if count == 1:
        return 0
    if card.channel is None or card.channel >= count:
        raise Fault("not_3d", file, f"it holds {count} frames (a film), expected one picture: choose a frame by the card's `channel`, from 0")
    return card.channel


def _to_8bit(stored: np.ndarray, dataset: Dataset, meaning: str, frame: int, card: Card, file: str) -> tuple[np.ndarray, dict[str, Any], list[str]]:
    """Pixels as uint8, the rule that was applied, and flags."""
    if meaning not in _GREY:
        return to_rgb(stored, dataset, meaning, file), {"kind": "stored"}, []
    pixels, transform, flags = _grey_to_8bit(stored, dataset, frame, card, file)
    if is_inverted(dataset, meaning):
        return 255 - pixels, {**transform, "inverted": True}, flags
    return pixels, transform, flags


def _grey_to_8bit(stored: np.ndarray, dataset: Dataset, frame: int, card: Card, file: str) -> tuple[np.ndarray, dict[str, Any], list[str]]:
    kind = card.intensity.kind
    values = in_units(stored, dataset, frame, file)
    if kind == "header":
        window = header_window(dataset, frame)
        if window is not None:
            centre, width, function = window
            return windowed(values, window), {"kind": "window", "level": centre, "width": width, "function": function}, []
        if dataset.get("VOILUTSequence"):
            return _by_lookup(values, dataset), {"kind": "header_table"}, []
    if kind == "stored" and stored.dtype == np.uint8:
        return stored, {"kind": "stored"}, []
    if kind in ("stored", "header"):
        low, high = percentiles(values, _WIDE_PERCENTILES)
        if not high > low:
            raise Fault("flat_image", file, f"all its values lie at {low}: nothing to see")
        flag = "no_window_in_header" if kind == "header" else "more_than_8_bit"
        return window_to_8bit(values, low, high), {"kind": "percentiles", "percent": _WIDE_PERCENTILES, "low": low, "high": high}, [flag]
    grey = grey_rule(values, card, file)
    return grey.of(values), grey.transform, []


def _by_lookup(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    """The header's look-up table (PS3.3 C.11.2.1.1), whose entries span 0 to all bits set."""
    from pydicom.pixels import apply_voi

    bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
    return window_to_8bit(apply_voi(values.astype(np.int64), dataset), 0, 2**bits - 1)


def _spacing(dataset: Dataset) -> tuple[list[float] | None, str | None]:
    """[row, column] in mm and where it stands; on the detector (ImagerPixelSpacing) things look larger than they are."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        value = dataset.get(keyword)
        if value is not None and len(value) == 2 and all(np.isfinite(float(side)) and float(side) > 0 for side in value):
            return [float(side) for side in value], _corrected(dataset, keyword)
    regions = dataset.get("SequenceOfUltrasoundRegions") or []
    if len(regions) == 1 and regions[0].get("RegionSpatialFormat") == _SPATIAL_2D:
        region = regions[0]
        units = {region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection")}
        sides = [abs(float(region.get(key, 0))) * 10 for key in ("PhysicalDeltaY", "PhysicalDeltaX")]
        if units == {_CENTIMETRES} and min(sides) > 0:
            return sides, "SequenceOfUltrasoundRegions"
    return None, None


def _corrected(dataset: Dataset, keyword: str) -> str:
    """PixelSpacing of a projection is the detector's own, unless the header says that it was calibrated (PS3.3 10.7.1.3)."""
    imager = dataset.get("ImagerPixelSpacing")
    if keyword != "PixelSpacing" or imager is None or dataset.get("PixelSpacingCalibrationType"):
        return keyword
    return "ImagerPixelSpacing" if np.allclose([float(v) for v in imager], [float(v) for v in dataset.PixelSpacing]) else keyword


def _sides(dataset: Dataset, card: Card) -> tuple[str | None, list[str]]:
    """Which side of the patient lies at the picture's left, and a flag for pictures that stand on their head.

    ``PatientOrientation`` states the direction towards the right edge and towards the lower one (PS3.3 C.7.6.1.1.1);
    the first letter of each counts most. It goes before the card; where it is missing, the card speaks.
    """
    stated = [str(value).strip().upper() for value in dataset.get("PatientOrientation") or []]
    if len(stated) != 2 or not all(stated):
        return card.image_left_is, []
    left = {"L": "patient_right", "R": "patient_left"}.get(stated[0][0])
    return left, ["upside_down"] if stated[1][0] == "H" else []
