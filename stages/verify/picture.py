"""A picture as the image judge sees it: grey levels, their places in the whole picture, colour where there is any."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_GREY_ENOUGH = 2.0


@dataclass(frozen=True)
class Picture:
    """``grey``: float32 (height, width), 0-255. ``below``: (256,), share of the whole picture's pixels below each level.

    ``chroma``: CIE a* and b*, float32 (height, width, 2), None for a grey picture. A crop keeps the whole picture's levels.
    """

    grey: np.ndarray
    below: np.ndarray
    chroma: np.ndarray | None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.grey.shape

    def level(self, grey: np.ndarray) -> np.ndarray:
        """Place of grey levels among those of the whole picture, 0 darkest to 1 brightest."""
        return np.interp(grey, np.arange(256), self.below)

    def crop(self, rows: slice, columns: slice) -> Picture:
        """A part of the picture."""
        return Picture(self.grey[rows, columns], self.below, None if self.chroma is None else self.chroma[rows, columns])

    def scaled(self, scale: float) -> Picture:
        """The picture at a smaller scale, every pixel the mean of what it covers."""
        if scale >= 1:
            return self
        size = (max(8, round(self.shape[1] * scale)), max(8, round(self.shape[0] * scale)))
        chroma = None if self.chroma is None else cv2.resize(self.chroma, size, interpolation=cv2.INTER_AREA)
        return Picture(cv2.resize(self.grey, size, interpolation=cv2.INTER_AREA), self.below, chroma)


def picture_of(pixels: np.ndarray) -> Picture:
    """The picture of 8-bit pixels, (height, width) grey or (height, width, 3) blue, green, red; grey by ITU-R BT.601 luma."""
    coloured = pixels.ndim == 3 and np.abs(pixels[..., 0].astype(np.int16) - pixels[..., 2]).mean() > _GREY_ENOUGH
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    counts = np.bincount(grey.ravel(), minlength=256)
    below = (np.cumsum(counts) - counts / 2) / grey.size
    chroma = cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB)[..., 1:].astype(np.float32) if coloured else None
    return Picture(grey.astype(np.float32), below, chroma)


def decoded(png: bytes) -> np.ndarray:
    """Pixels of a stored picture, uint8 (height, width) or (height, width, 3) in OpenCV's order of colours.

    Raises:
        ValueError: the bytes are no picture.
    """
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_ANYCOLOR) if png else None
    if pixels is None:
        raise ValueError(f"{len(png)} bytes that should be a stored picture cannot be decoded")
    return pixels
