"""Pictures that Pillow would narrow or cannot open: 16-bit colours, rare TIFF, headerless files. Values as they are stored."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from stages.core.params import ParamError
from stages.ingest.blocks import RawPicture
from stages.ingest.faults import Fault
from stages.ingest.gates import read_content, refuse_large, require_page

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_RAW_TYPES = ("uint8", "uint16", "int16", "float32")
_BYTE_ORDERS = {"big": ">", "little": "<"}


def read_wide_colour(content: bytes, path: str) -> np.ndarray:
    """uint16 colours (height, width, 3) of a PNG file; alpha is dropped."""
    import cv2

    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise Fault("unreadable_image", path, "OpenCV cannot decode its 16-bit colours: write it as 8-bit PNG or as TIFF")
    if values.ndim == 3 and values.shape[2] == 2:
        return values[..., 0]
    return np.ascontiguousarray(values[..., 2::-1]) if values.ndim == 3 else values


def only_tifffile(content: bytes) -> bool:
    """Whether bytes are a TIFF file of a kind that Pillow does not know (floating point colours, 64 bits, many channels)."""
    if content[:4] not in _TIFF_STARTS:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(io.BytesIO(content), formats=("TIFF",))
    except UnidentifiedImageError:
        return True
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, struct.error):
        return False
    return False


def read_tiff(content: bytes, path: str, page: int | None, max_pixels: int) -> np.ndarray:
    """Values (height, width) or (height, width, 3) of one page; "white is zero" turned round, alpha dropped."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            require_page(page, len(file.pages), path)
            chosen = file.pages[page or 0]
            refuse_large(chosen.imagewidth, chosen.imagelength, max_pixels, path)
            values = chosen.asarray()
            axes, white_is_zero = chosen.axes, chosen.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    except (tifffile.TiffFileError, ValueError, IndexError, KeyError, OSError, struct.error, zlib.error) as error:
        cause = f"tifffile cannot decode it ({error}): truncated, or a rare compression; write it again as plain TIFF or PNG"
        raise Fault("unreadable_image", path, cause) from error
    if axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    if axes not in ("YX", "YXS", "SYX") or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        raise Fault("unreadable_image", path, f"a TIFF page with axes {axes} and shape {values.shape}: grey or RGB pages are needed")
    values = values[..., :3] if values.ndim == 3 else values
    values = _native(values)
    return values.max() - values if white_is_zero else values


def read_raw(file: Path, path: str, raw: RawPicture, max_pixels: int) -> np.ndarray:
    """Values (height, width) of a headerless picture.

    Raises:
        ParamError: the card's numbers make no picture.
        Fault: the file's length is not the one that the card's numbers give.
    """
    if raw.dtype not in _RAW_TYPES or raw.byte_order not in _BYTE_ORDERS or min(raw.width, raw.height) < 1 or raw.header_bytes < 0:
        raise ParamError(f"pictures:raw: expected width and height of at least 1, dtype of {', '.join(_RAW_TYPES)}, byte_order big or little, got {raw}")
    refuse_large(raw.width, raw.height, max_pixels, path)
    dtype = np.dtype(raw.dtype).newbyteorder(_BYTE_ORDERS[raw.byte_order])  # type: ignore[call-overload]
    content = read_content(file, path)
    expected = raw.header_bytes + raw.width * raw.height * dtype.itemsize
    if len(content) != expected:
        cause = f"{len(content)} bytes, but pictures:raw of the card ({raw.width} x {raw.height} {raw.dtype}) makes {expected}"
        raise Fault("unreadable_image", path, f"{cause}: truncated, or mend the card")
    return _native(np.frombuffer(content, dtype, offset=raw.header_bytes).reshape(raw.height, raw.width))


def _native(values: np.ndarray) -> np.ndarray:
    """The values in this machine's byte order: grey levels are counted by their bits."""
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))
