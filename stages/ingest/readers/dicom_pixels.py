"""Stored values of DICOM images: decoded, brought to the unit that they mean, and made 8 bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stages.core.volume import window_to_8bit
from stages.ingest.faults import Fault
from stages.ingest.readers.dicom_files import damage, functional_group, needed, quiet

if TYPE_CHECKING:
    from pydicom import Dataset

# A series may hold as many values as so many pictures of the largest allowed size hold pixels.
PICTURES_PER_VOLUME = 10
# Ultrasound images and films, secondary captures of all kinds.
_MOSTLY_WITH_TEXT = ("1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.7")


def decoded(dataset: Dataset, file: str, max_values: int) -> tuple[np.ndarray, str]:
    """Stored values (frames, rows, columns) or (frames, rows, columns, 3), and what they are (``RGB``, ``MONOCHROME1``, ...).

    YBR colours become RGB.

    Raises:
        Fault: no pixels, more than ``max_values`` of them, a compression that this installation cannot undo, or damage.
    """
    from pydicom.pixels import get_decoder

    frames = int(dataset.get("NumberOfFrames") or 1)
    values = frames * int(needed(dataset, "Rows", file)) * int(needed(dataset, "Columns", file))
    if values > max_values:
        raise Fault("too_large", file, f"{values} pixels, more than the {max_values} that ingest.max_pixels allows: raise the limit, or crop")
    if "PixelData" not in dataset:
        raise Fault("unreadable_image", file, "it holds no 8 to 16 bit pixels (PixelData is missing): truncated, or not an image of grey values")
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise _not_decodable(file, syntax.name) from error
    if not decoder.is_available:
        raise _not_decodable(file, syntax.name)
    try:
        with quiet():
            array, facts = decoder.as_array(dataset, raw=False)
    except (*damage(), RuntimeError) as error:
        raise Fault("unreadable_image", file, f"its pixels cannot be decoded ({type(error).__name__}): truncated or damaged; fetch it again") from error
    colour = int(facts["samples_per_pixel"]) > 1
    array = array if array.ndim == (4 if colour else 3) else array[np.newaxis]
    return array, str(facts["photometric_interpretation"])


def _not_decodable(file: str, syntax: str) -> Fault:
    remedy = "decompress it first (`gdcmconv --raw IN OUT` or `dcmdjpeg IN OUT`), or install pylibjpeg with pylibjpeg-libjpeg and pylibjpeg-openjpeg"
    return Fault("undecodable_syntax", file, f"its pixels are stored as {syntax!r}, which no decoder here can read: {remedy}")


def in_units(stored: np.ndarray, dataset: Dataset, frame: int, file: str) -> np.ndarray:
    """Values in the unit that the header maps them to (HU for CT): int16 where they fit, else float32.

    Raises:
        Fault: slope or intercept are no finite numbers, or the slope is 0.
    """
    if dataset.get("ModalityLUTSequence"):
        from pydicom.pixels import apply_modality_lut

        return apply_modality_lut(stored, dataset).astype(np.float32)
    rule = functional_group(dataset, frame, "PixelValueTransformationSequence") or dataset
    if str(dataset.get("Modality", "")) == "CT":
        needed(rule, "RescaleIntercept", file)  # without it nobody knows which value is water
    slope, intercept = float(rule.get("RescaleSlope", 1)), float(rule.get("RescaleIntercept", 0))
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise Fault("unreadable_image", file, f"RescaleSlope {slope} and RescaleIntercept {intercept} make no values: mend the header")
    if slope.is_integer() and intercept.is_integer():
        extremes = [int(stored.min()), int(stored.max())]
        reached = [*extremes, *(value * int(slope) + part for value in extremes for part in (0, int(intercept))), int(slope), int(intercept)]
        limits = np.iinfo(np.int16)
        if min(reached) >= limits.min and max(reached) <= limits.max:  # every step fits, so that the short type does for all of them
            return stored.astype(np.int16) * np.int16(slope) + np.int16(intercept)
    return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


def header_window(dataset: Dataset, frame: int) -> tuple[float, float, str] | None:
    """First window of the header as (centre, width, function), None where it has none or an impossible one."""
    rule = functional_group(dataset, frame, "FrameVOILUTSequence") or dataset
    centre, width = (_first(rule.get(key)) for key in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None or not width > 0:
        return None
    return centre, width, str(rule.get("VOILUTFunction") or "LINEAR")


def _first(value: Any) -> float | None:
    if value is None or value == "":
        return None
    number = float(value[0]) if hasattr(value, "__len__") and not isinstance(value, str) else float(value)
    return number if np.isfinite(number) else None


def windowed(values: np.ndarray, window: tuple[float, float, str]) -> np.ndarray:
    """8 bit by a header's window; formulas of DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    centre, width, function = window
    if function == "SIGMOID":
        return np.rint(255 / (1 + np.exp(-4 * (values.astype(np.float64) - centre) / width))).astype(np.uint8)
    if function == "LINEAR_EXACT" or width <= 1:
        return window_to_8bit(values, centre - width / 2, centre + width / 2)
    return window_to_8bit(values, centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2)


def to_rgb(stored: np.ndarray, dataset: Dataset, meaning: str, file: str) -> np.ndarray:
    """8 bit RGB (rows, columns, 3) of one colour frame; palettes are looked up, wider samples scaled by their bits.

    Raises:
        Fault: a colour space that is not read, or a palette that is missing.
    """
    if meaning == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        try:
            with quiet():
                looked_up = apply_color_lut(stored, dataset)
        except damage() as error:
            raise Fault("unreadable_image", file, f"its palette cannot be used ({type(error).__name__}): export it as RGB") from error
        return (looked_up >> 8).astype(np.uint8) if looked_up.dtype == np.uint16 else looked_up
    if meaning != "RGB":
        raise Fault("unreadable_image", file, f"colours are stored as {meaning}, expected RGB, YBR or a palette: export it as RGB")
    bits = int(needed(dataset, "BitsStored", file))
    return stored if bits == 8 else np.rint(stored * (255.0 / (2**bits - 1))).astype(np.uint8)


def is_inverted(dataset: Dataset, meaning: str) -> bool:
    """Whether low values are meant to be bright."""
    return meaning == "MONOCHROME1" or str(dataset.get("PresentationLUTShape", "")) == "INVERSE"


def header_flags(dataset: Dataset) -> set[str]:
    """What the header says against a picture: text burned into it, compression that lost something.

    Ultrasound and secondary captures mostly have text in their pixels: there only the header's NO clears them.
    """
    burned, sop_class = str(dataset.get("BurnedInAnnotation", "")).upper(), str(dataset.get("SOPClassUID", ""))
    doubtful = sop_class.startswith(_MOSTLY_WITH_TEXT) or str(dataset.get("Modality", "")) == "US"
    flags = {"burned_in_annotation"} if burned == "YES" or (doubtful and burned != "NO") else set()
    return flags | ({"lossy_compression"} if str(dataset.get("LossyImageCompression", "")) == "01" else set())
