"""Pictures through Pillow: decoded once, to 8 bit grey or RGB; masks and label maps; scaling; PNG bytes."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, UnidentifiedImageError

from stages.core.volume import window_to_8bit
from stages.ingest.faults import Fault

# The size gate is ours (ingest.max_pixels, read from the header before decoding); Pillow's own would warn below it.
Image.MAX_IMAGE_PIXELS = None
PNG_LEVEL = 6
_EXIF_ORIENTATION = 0x0112
# Grey range of pictures with more than 8 bits, in percent of their pixels.
_WIDE_PERCENTILES = (0.5, 99.5)


def open_picture(root: Path, path: str, max_pixels: int) -> Image.Image:
    """Decode a picture completely.

    Raises:
        Fault: missing, no picture, truncated, or more than ``max_pixels`` pixels by its header.
    """
    try:
        picture = Image.open(root / path)
        if picture.width * picture.height > max_pixels:
            raise Fault(
                "too_large",
                path,
                f"{picture.width} x {picture.height} pixels, more than ingest.max_pixels = {max_pixels}: scale it down or raise the limit",
            )
        picture.load()
    except FileNotFoundError as error:
        raise Fault("missing_file", path, "the file is not there: fetch it or mend the table that names it") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise Fault(
            "unreadable_image", path, f"Pillow cannot decode it ({type(error).__name__}): truncated or no picture; fetch it again"
        ) from error
    return picture


def to_8bit(picture: Image.Image, path: str) -> tuple[np.ndarray, dict[str, object], list[str]]:
    """Pixels as uint8 (height, width) or (height, width, 3), the transform that was applied, and quality flags.

    Raises:
        Fault: NaN or infinite values, or a constant picture of more than 8 bits.
    """
    flags = []
    if picture.getexif().get(_EXIF_ORIENTATION, 1) != 1:
        flags.append("exif_orientation_ignored")
    if picture.mode.startswith("I") or picture.mode == "F":
        pixels, low, high = _wide_to_8bit(np.asarray(picture), path)
        return pixels, {"kind": "percentiles", "percent": list(_WIDE_PERCENTILES), "low": low, "high": high}, [*flags, "more_than_8_bit"]
    if picture.mode in ("1", "L", "LA"):
        return np.asarray(picture.convert("L")), {"kind": "stored"}, flags
    if picture.has_transparency_data and picture.convert("RGBA").getextrema()[3][0] < 255:
        flags.append("alpha_dropped")
    return np.asarray(picture.convert("RGB")), {"kind": "stored"}, flags


def _wide_to_8bit(values: np.ndarray, path: str) -> tuple[np.ndarray, float, float]:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Fault("not_finite", path, "the picture holds NaN or infinite values: export it again")
    low, high = (float(value) for value in np.percentile(values, _WIDE_PERCENTILES))
    if not high > low:
        raise Fault("flat_image", path, f"all its values lie at {low}: nothing to see")
    return window_to_8bit(values, low, high), low, high


def read_mask(root: Path, path: str, threshold: int, max_pixels: int) -> tuple[np.ndarray, list[str]]:
    """Boolean mask (height, width): brightest channel above ``threshold``; with a flag for the fringes that JPEG leaves.

    Raises:
        Fault: unreadable, or no pixel above the threshold.
    """
    values = _brightness(open_picture(root, path, max_pixels))
    mask = values > threshold
    if not mask.any():
        cause = f"no pixel above mask_threshold = {threshold} (highest is {values.max()}): mend the mask, or the threshold in the card"
        raise Fault("empty_mask", path, cause)
    in_between = (values > values.min()) & (values < values.max())
    return mask, ["mask_fringe"] if in_between.any() else []


def _brightness(picture: Image.Image) -> np.ndarray:
    """Brightest channel of every pixel; alpha is not read."""
    if picture.mode in ("L", "F") or picture.mode.startswith("I"):
        return np.asarray(picture)
    red, green, blue = picture.convert("RGB").split()
    return np.asarray(ImageChops.lighter(ImageChops.lighter(red, green), blue))


def read_label_map(root: Path, path: str, max_pixels: int) -> tuple[np.ndarray, dict[int, str]]:
    """Integer codes (height, width) and the source name of each code: palette index or grey value, or "#rrggbb" for colours.

    Raises:
        Fault: unreadable, or a picture mode that is no label map.
    """
    picture = open_picture(root, path, max_pixels)
    if picture.mode in ("RGB", "RGBA"):
        channels = np.asarray(picture.convert("RGB")).astype(np.int64)
        codes = (channels[..., 0] << 16) | (channels[..., 1] << 8) | channels[..., 2]
        return codes, {int(code): f"#{int(code):06x}" for code in np.unique(codes)}
    if picture.mode not in ("1", "L", "P", "I", "I;16"):
        raise Fault(
            "unreadable_mask", path, f"a label map is a grey, palette or RGB picture, this one has mode {picture.mode}: export it again"
        )
    codes = np.asarray(picture).astype(np.int64)
    return codes, {int(code): str(int(code)) for code in np.unique(codes)}


def scale_of(width: int, height: int, max_side_px: int) -> tuple[int, int]:
    """Width and height after scaling the longer side down to ``max_side_px``; unchanged when it fits."""
    factor = min(1.0, max_side_px / max(width, height))
    return max(1, math.floor(width * factor + 0.5)), max(1, math.floor(height * factor + 0.5))


def resize_pixels(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 pixels scaled down by area (box filter) to ``size`` = (width, height)."""
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boolean mask scaled by nearest neighbour to ``size`` = (width, height)."""
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)).astype(bool)


def png_bytes(pixels: np.ndarray) -> bytes:
    """uint8 grey or RGB pixels as PNG; one fixed compression level, no time stamp."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()
