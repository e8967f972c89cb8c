"""How large a mask is, what lies around it, and the mask at another scale."""

from __future__ import annotations

import cv2
import numpy as np


def diameter_px(mask: np.ndarray) -> float:
    """Diameter of the disc of the mask's area."""
    return 2 * float(np.sqrt(mask.sum() / np.pi))


def window(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the mask's box and a margin around it, inside the image."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(0, rows[0] - margin), min(mask.shape[0], rows[-1] + 1 + margin)),
        slice(max(0, columns[0] - margin), min(mask.shape[1], columns[-1] + 1 + margin)),
    )


def scaled(mask: np.ndarray, scale: float) -> np.ndarray:
    """The mask at another scale: a pixel belongs to it where half of it does."""
    if scale >= 1:
        return mask
    size = (max(8, round(mask.shape[1] * scale)), max(8, round(mask.shape[0] * scale)))
    return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5
