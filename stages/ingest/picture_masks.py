"""Mask pictures: binary masks, label maps (grey codes, palette indices, colours), drawn outlines.

Flags: ``mask_fringe`` (values between background and foreground), ``codes_snapped`` (blurred codes taken to the nearest
code of the card), ``outline_closed_at_frame`` (an outline that leaves the picture was closed along its edge).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from stages.ingest.card import Card
from stages.ingest.faults import Fault
from stages.ingest.objects import ANY_SOURCE, BACKGROUND, labels_by_source
from stages.ingest.pictures import open_picture

_LOSSY = ("JPEG", "MPO")
# Pixels of background that an outline may enclose by accident (a gap in its own stroke) and still count as open.
_SPECK = 4


def read_mask(root: Path, path: str, card: Card, max_pixels: int) -> tuple[np.ndarray, list[str]]:
    """Boolean mask (height, width): brightest channel above ``mask_threshold``; outlines are filled where the card says so.

    Raises:
        Fault: unreadable, no pixel above the threshold, or an outline that encloses nothing.
    """
    values = _brightness(open_picture(root, path, max_pixels))
    threshold = card.mask_threshold or 0
    mask = values > threshold
    if not mask.any():
        cause = f"no pixel above mask_threshold = {threshold} (highest is {values.max()}): mend the mask, or the threshold in the card"
        raise Fault("empty_mask", path, cause)
    flags = ["mask_fringe"] if _has_fringe(values) else []
    if card.fill_outlines:
        mask, more = fill_outline(mask, path)
        flags += more
    return mask, flags


def _has_fringe(values: np.ndarray) -> bool:
    """Whether a mask holds more than two values."""
    low, high = values.min(), values.max()
    return np.count_nonzero(values == low) + np.count_nonzero(values == high) < values.size and low < high


def _brightness(picture: Image.Image) -> np.ndarray:
    """Brightest channel of every pixel; alpha is not read."""
    if picture.mode in ("L", "F") or picture.mode.startswith("I"):
        return np.asarray(picture)
    if picture.mode == "1":
        return np.asarray(picture.convert("L"))
    red, green, blue = picture.convert("RGB").split()
    return np.asarray(ImageChops.lighter(ImageChops.lighter(red, green), blue))


def read_label_map(root: Path, path: str, card: Card, max_pixels: int) -> tuple[np.ndarray, dict[int, str], list[str]]:
    """Codes (height, width), the source name of each code that occurs, and flags.

    A code is a palette index or grey value, or for colours "#rrggbb" (as 0xrrggbb); alpha is not read. With
    ``pictures.code_tolerance`` blurred codes are taken to the nearest code of the card.

    Raises:
        Fault: unreadable, a picture mode that is no label map, or codes blurred by JPEG beyond the tolerance.
    """
    picture = open_picture(root, path, max_pixels)
    known = labels_by_source(card)
    coloured = any(name.startswith("#") for name in known)
    if picture.mode in ("RGB", "RGBA") or (picture.mode == "P" and coloured):
        channels = np.asarray(picture.convert("RGB"))
    elif picture.mode in ("1", "L", "P", "I", "I;16", "I;16B"):
        channels = np.asarray(picture)[..., None]
        if picture.mode == "1":
            channels = channels.astype(np.uint8)
    else:
        cause = f"a label map is a grey, palette or RGB picture, this one has mode {picture.mode}: export it again"
        raise Fault("unreadable_mask", path, cause)
    if channels.shape[2] == 3 and not coloured:
        channels = _grey_channel(channels)
    tolerance = card.pictures.code_tolerance if card.pictures else None
    lossy = picture.format in _LOSSY
    if tolerance is None:
        codes = _codes(channels)
        names = {code: _name(code, channels.shape[2]) for code in distinct(codes)}
        if lossy and ANY_SOURCE not in known:
            _refuse_blurred(names, known, path)
        return codes, names, []
    return _snapped(channels, [*known, *BACKGROUND], tolerance, path)


def _grey_channel(channels: np.ndarray) -> np.ndarray:
    """One channel of three that are equal: a grey map saved as RGB, whose card names grey values."""
    same = np.array_equal(channels[..., 0], channels[..., 1]) and np.array_equal(channels[..., 1], channels[..., 2])
    return channels[..., :1] if same else channels


def _codes(channels: np.ndarray) -> np.ndarray:
    if channels.shape[2] == 1:
        return channels[..., 0]
    wide = channels.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def distinct(codes: np.ndarray) -> list[int]:
    """Values that occur, ascending; only places where the value changes are looked at, which label maps have few of."""
    flat = codes.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return [int(value) for value in np.unique(flat[np.concatenate([[0], changes])])]


def _name(code: int, n_channels: int) -> str:
    return f"#{code:06x}" if n_channels == 3 else str(code)


def _refuse_blurred(names: dict[int, str], known: dict[str, list[str]], path: str) -> None:
    unknown = [name for name in names.values() if name not in known and name not in BACKGROUND]
    if unknown:
        cause = (
            f"a JPEG label map with {len(unknown)} values that the card does not name ({', '.join(unknown[:3])}): JPEG blurs codes; "
            "use the lossless original, or set pictures: {code_tolerance: 40} in the card"
        )
        raise Fault("bad_mask_values", path, cause)


def _snapped(channels: np.ndarray, names: list[str], tolerance: int, path: str) -> tuple[np.ndarray, dict[int, str], list[str]]:
    """Codes of the nearest names, by the largest difference of a channel; ties go to the lower code."""
    palette = sorted({code for name in names if (code := _code_of(name, channels.shape[2])) is not None})
    best = np.full(channels.shape[:2], np.iinfo(np.int32).max, np.int32)
    codes = np.zeros(channels.shape[:2], np.int32)
    for code in palette:
        target = [code] if channels.shape[2] == 1 else [code >> 16, code >> 8 & 255, code & 255]
        distance = np.abs(channels.astype(np.int32) - np.array(target, np.int32)).max(axis=2)
        nearer = distance < best
        codes[nearer], best[nearer] = code, distance[nearer]
    far = int((best > tolerance).sum())
    if far:
        cause = f"{far} pixels lie further than pictures:code_tolerance = {tolerance} from every code of the card: name the code or raise it"
        raise Fault("bad_mask_values", path, cause)
    return codes, {code: _name(code, channels.shape[2]) for code in distinct(codes)}, ["codes_snapped"] if best.any() else []


def _code_of(name: str, n_channels: int) -> int | None:
    """A card's source as a code of the map's kind; None for one of the other kind."""
    if name.startswith("#"):
        return int(name[1:], 16) if n_channels == 3 else None
    return int(name) if n_channels == 1 and name.isdecimal() else None


def fill_outline(mask: np.ndarray, path: str) -> tuple[np.ndarray, list[str]]:
    """A drawn outline with what it encloses; one that leaves the picture once is closed along the picture's edge.

    Raises:
        Fault: the outline encloses nothing.
    """
    import cv2

    count, parts, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    frame = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    at_frame = np.bincount(frame, minlength=count)
    at_frame[0] = 0
    large = stats[:, cv2.CC_STAT_AREA] > _SPECK
    large[0] = False
    if (large & (at_frame == 0)).any():
        return mask | (at_frame == 0)[parts], []
    outer = np.flatnonzero(large & (at_frame > 0))
    if len(outer) == 2:
        # The outline cuts the picture in two: the part with less of the picture's edge is inside.
        inside = outer[np.argmin(at_frame[outer])]
        return mask | (parts == inside), ["outline_closed_at_frame"]
    raise Fault("open_outline", path, "the drawn outline encloses nothing: close it, or take fill_outlines out of the card")
