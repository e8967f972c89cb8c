"""Picture files: decoded once, to 8 bit grey or RGB; scaling; PNG bytes.

PNG, JPEG (CMYK too), JPEG 2000, BMP, GIF, PNM, WebP and TIFF through Pillow; colour pictures of 16 bits a channel through
OpenCV; TIFF that Pillow does not know through tifffile; headerless pictures by the card's ``pictures: {raw: ...}``. The
content decides, not the file name. The header is read first, and a picture over ``ingest.max_pixels`` is refused
before any pixel is decoded.

Flags: ``more_than_8_bit``, ``grey_as_rgb`` (stored as grey: no value is lost), ``alpha_dropped``, ``cmyk_converted``,
``exif_orientation_ignored``, ``wrong_extension``.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, Jpeg2KImagePlugin, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from stages.core.volume import window_to_8bit
from stages.ingest.bare_png import bare_png
from stages.ingest.blocks import PictureFiles
from stages.ingest.card import Card
from stages.ingest.faults import Fault
from stages.ingest.gates import read_content, refuse_large, require_page
from stages.ingest.intensity import grey_rule, percentiles
from stages.ingest.wide_pictures import only_tifffile, read_raw, read_tiff, read_wide_colour

# The size gate is ours (ingest.max_pixels, read from the header before decoding); Pillow's own would warn below it.
Image.MAX_IMAGE_PIXELS = None
# Only formats that hold pixels: no PostScript or PDF, which run an interpreter. Not all are known to Pillow at once.
_LOADED = (Jpeg2KImagePlugin, TiffImagePlugin, WebPImagePlugin)
FORMATS = ("PNG", "JPEG", "JPEG2000", "BMP", "DIB", "GIF", "PPM", "WEBP", "TIFF")
_ENDINGS = {
    "PNG": {".png"},
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "MPO": {".jpg", ".jpeg", ".mpo"},
    "BMP": {".bmp", ".dib"},
    "GIF": {".gif"},
    "TIFF": {".tif", ".tiff", ".svs"},
}
_EXIF_ORIENTATION = 0x0112
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANAR = 258, 262, 284
# Grey range of pictures with more than 8 bits, in percent of their pixels.
_WIDE_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class Shown:
    """Pixels as uint8 (height, width) or (height, width, 3), the transform that was applied, and quality flags.

    ``png`` are the bytes to store where the source's own compression is kept (``bare_png``), None where there is none to keep.
    """

    pixels: np.ndarray
    transform: dict[str, Any]
    flags: list[str]
    png: bytes | None = None


def read_picture(root: Path, path: str, card: Card, max_pixels: int) -> Shown:
    """Decode a picture and bring it to 8 bits by the card's intensity rule.

    Raises:
        Fault: missing, empty, damaged or no picture, too large, several pages, NaN, or one value where a range is needed.
    """
    options = card.pictures or PictureFiles()
    if options.raw is not None:
        return shown_values(read_raw(root / path, path, options.raw, max_pixels), card, path, options.inverted)
    content = read_content(root / path, path)
    if only_tifffile(content):
        return shown_values(read_tiff(content, path, options.page, max_pixels), card, path, options.inverted)
    picture, wide = decode(content, path, options.page, max_pixels)
    if wide:
        values = _wide_colours(picture, content, path, options.page, max_pixels)
        return shown_values(values, card, path, options.inverted, _file_flags(picture, path))
    shown = shown_picture(picture, card, path)
    return replace(shown, png=bare_png(content)) if _is_as_stored(picture, shown) else shown


def _is_as_stored(picture: Image.Image, shown: Shown) -> bool:
    """Whether what is shown are the pixels of a grey or RGB PNG file, unchanged."""
    unchanged = shown.transform == {"kind": "stored"} and picture.mode == ("L" if shown.pixels.ndim == 2 else "RGB")
    return unchanged and picture.format == "PNG"


def _wide_colours(picture: Image.Image, content: bytes, path: str, page: int | None, max_pixels: int) -> np.ndarray:
    """Colours of 16 bits: PNG by OpenCV; TIFF by tifffile, or by OpenCV where a compression is beyond tifffile."""
    if picture.format != "TIFF":
        return read_wide_colour(content, path)
    try:
        return read_tiff(content, path, page, max_pixels)
    except Fault:
        # OpenCV reads the first page alone, and mixes up colours that are stored plane by plane.
        if page or _tag(picture, _PLANAR) == 2:
            raise
        return read_wide_colour(content, path)


def shown_picture(picture: Image.Image, card: Card, path: str) -> Shown:
    """A decoded picture brought to 8 bits by the card's intensity rule.

    Raises:
        Fault: NaN, or one value where a range is needed.
    """
    options = card.pictures or PictureFiles()
    flags = _file_flags(picture, path)
    if picture.mode.startswith("I") or picture.mode == "F":
        # Pillow turns TIFF's "white is zero" round for 8 bits alone.
        inverted = options.inverted != (picture.format == "TIFF" and _tag(picture, _PHOTOMETRIC) == 0)
        return shown_values(np.asarray(picture), card, path, inverted, flags)
    pixels, more = _plain_pixels(picture)
    return shown_values(pixels, card, path, options.inverted, flags + more)


def open_picture(root: Path, path: str, max_pixels: int, page: int | None = None) -> Image.Image:
    """Decode a picture file below the root completely, as Pillow sees it.

    Raises:
        Fault: missing, empty, no picture, truncated, several pages, or more than ``max_pixels`` pixels by its header.
    """
    return decode(read_content(root / path, path), path, page, max_pixels)[0]


def decode(content: bytes, path: str, page: int | None, max_pixels: int) -> tuple[Image.Image, bool]:
    """Decode picture bytes, and say whether they hold colours of 16 bits, of which Pillow keeps the upper half without a word.

    Raises:
        Fault: no picture, truncated, several pages, or more than ``max_pixels`` pixels by its header.
    """
    try:
        with warnings.catch_warnings():
            # What is worth knowing is an error or a flag here; Pillow's hints about metadata are not.
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
            refuse_large(picture.width, picture.height, max_pixels, path)
            _choose_page(picture, page, path)
            refuse_large(picture.width, picture.height, max_pixels, path)
            wide = picture.mode in ("RGB", "RGBA", "LA") and _bits(picture) > 8
            picture.load()
    except UnidentifiedImageError as error:
        cause = f"no picture: it begins with {content[:12]!r}; fetch it again, or take it out of the card's pattern"
        raise Fault("unreadable_image", path, cause) from error
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, struct.error, zlib.error) as error:
        if "ecompressed data too large" in str(error) or "Too much memory" in str(error):
            cause = f"a text or colour profile in it unpacks to more than Pillow allows ({error}): write the picture without its metadata"
            raise Fault("too_large", path, cause) from error
        cause = f"Pillow cannot decode it ({type(error).__name__}: {error}): truncated or damaged; fetch it again"
        raise Fault("unreadable_image", path, cause) from error
    return picture, wide


def _choose_page(picture: Image.Image, page: int | None, path: str) -> None:
    # The further frames of MPO (JPEG of phones and cameras) are previews.
    require_page(page, 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1), path)
    if page:
        picture.seek(page)


def _file_flags(picture: Image.Image, path: str) -> list[str]:
    endings = _ENDINGS.get(picture.format or "")
    flags = ["wrong_extension"] if endings and Path(path).suffix.lower() not in endings else []
    if picture.getexif().get(_EXIF_ORIENTATION, 1) != 1:
        flags.append("exif_orientation_ignored")
    return flags


def _tag(picture: Image.Image, number: int) -> Any:
    return getattr(picture, "tag_v2", {}).get(number)


def _bits(picture: Image.Image) -> int:
    """Bits a channel as the file states them: TIFF in a tag, PNG in the name of its raw mode."""
    stated = _tag(picture, _BITS_PER_SAMPLE)
    if stated is not None:
        return max(stated) if isinstance(stated, tuple) else int(stated)
    return 16 if any(";16" in str(tile.args) for tile in picture.tile) else 8


def _plain_pixels(picture: Image.Image) -> tuple[np.ndarray, list[str]]:
    """Pixels of a picture of 8 bits a channel, grey where all of them are."""
    flags = []
    if picture.has_transparency_data and np.asarray(picture.convert("RGBA"))[..., 3].min() < 255:
        flags.append("alpha_dropped")
    if picture.mode in ("1", "L", "LA"):
        return np.asarray(picture if picture.mode == "L" else picture.convert("L")), flags
    if picture.mode == "CMYK":
        flags.append("cmyk_converted")
    pixels = np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    if _is_grey(pixels):
        return np.ascontiguousarray(pixels[..., 0]), [*flags, "grey_as_rgb"]
    return pixels, flags


def _is_grey(pixels: np.ndarray) -> bool:
    """Whether the three channels are equal; a sparse look settles most colour pictures."""
    views = (pixels[::16, ::16], pixels)
    return all(np.array_equal(view[..., 0], view[..., 1]) and np.array_equal(view[..., 1], view[..., 2]) for view in views)


def shown_values(values: np.ndarray, card: Card, path: str, inverted: bool, flags: list[str] | None = None) -> Shown:
    """Values (height, width) or (height, width, 3) in 8 bits by the card's intensity rule, all channels alike, so that colours keep their balance.

    Raises:
        Fault: NaN, or one value where a range is needed.
    """
    flags, rule = list(flags or []), card.intensity
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Fault("not_finite", path, "the picture holds NaN or infinite values: export it again")
    transform: dict[str, Any] = {"inverted": True} if inverted else {}
    if values.dtype != np.uint8:
        flags.append("more_than_8_bit")
    if rule.kind == "stored" and values.dtype == np.uint8:
        transform |= {"kind": "stored"}
        pixels = values
    elif rule.kind == "stored":
        low, high = percentiles(values, list(_WIDE_PERCENTILES))
        if not high > low:
            raise Fault("flat_image", path, f"all its values lie at {low}: nothing to see")
        transform |= {"kind": "percentiles", "percent": list(_WIDE_PERCENTILES), "low": low, "high": high}
        pixels = window_to_8bit(values, low, high)
    else:
        grey = grey_rule(values, card, path)
        transform |= grey.transform
        pixels = grey.of(values)
    return Shown(255 - pixels if inverted else pixels, transform, flags)


def scale_of(width: int, height: int, max_side_px: int) -> tuple[int, int]:
    """Width and height after scaling the longer side down to ``max_side_px``; unchanged when it fits."""
    factor = min(1.0, max_side_px / max(width, height))
    return max(1, math.floor(width * factor + 0.5)), max(1, math.floor(height * factor + 0.5))


def resize_pixels(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 pixels scaled down by area (box filter) to ``size`` = (width, height)."""
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def png_bytes(pixels: np.ndarray) -> bytes:
    """uint8 grey or RGB pixels as PNG; fixed filter and compression, no time stamp, so that equal pixels give equal bytes.

    OpenCV at level 1 with the filter "up": about a ninth of the time of Pillow's level 6, for files a tenth larger.
    Colours are coded by runs alone (of "up" differences), which is quicker and smaller for them, and larger for grey.
    """
    import cv2

    options = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
        options += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    done, buffer = cv2.imencode(".png", np.ascontiguousarray(pixels), options)
    if not done:
        raise ValueError(f"OpenCV cannot write pixels of shape {pixels.shape} as PNG")
    return buffer.tobytes()
