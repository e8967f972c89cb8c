"""Label maps with a picture: turned ellipses with wavy outlines, some lobed, some hollow, none overlapping."""

from __future__ import annotations

import math

import cv2
import numpy as np


def scene(side: int, count: int, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A label map (side, side) int32 with ``count`` objects that cover about ``share`` of it, and a picture uint8.

    Raises:
        ValueError: the objects do not fit.
    """
    random = np.random.default_rng(seed)
    labels = np.zeros((side, side), np.int32)
    radius = math.sqrt(share * side * side / count / math.pi)
    placed = 0
    for _ in range(400 * count):
        mask, row, column = _blob(random, radius, placed, side)
        window = labels[row : row + mask.shape[0], column : column + mask.shape[1]]
        if mask.any() and not window[mask].any():
            placed += 1
            window[mask] = placed
        if placed == count:
            break
    else:
        raise ValueError(f"{count} objects with a share of {share} do not fit on {side} x {side} pixels: ask for fewer or smaller ones")
    grey = cv2.GaussianBlur(random.integers(0, 256, (side, side)).astype(np.uint8), (0, 0), 1.5)
    grey[labels > 0] = grey[labels > 0] // 2 + 90
    return labels, grey


def _blob(random: np.random.Generator, radius: float, number: int, side: int) -> tuple[np.ndarray, int, int]:
    """A boolean crop and the row and column of its upper left pixel; every fourth is lobed, every tenth hollow."""
    major, minor = radius * random.uniform(0.9, 1.4), radius * random.uniform(0.6, 1.0)
    turn, (y, x) = random.uniform(0, math.pi), random.uniform(0, side, 2)
    reach = 1.25 * major + 1
    top, left = int(max(0, y - reach)), int(max(0, x - reach))
    rows, columns = np.mgrid[top : int(min(side, y + reach)), left : int(min(side, x + reach))]
    dy, dx = rows + 0.5 - y, columns + 0.5 - x
    along, across = dx * math.cos(turn) + dy * math.sin(turn), -dx * math.sin(turn) + dy * math.cos(turn)
    angle, distance = np.arctan2(across, along), np.hypot(along / major, across / minor)
    edge = 1 + 0.06 * np.sin(3 * angle + turn) + (0.12 * np.sin(7 * angle) if number % 4 == 3 else 0)
    inner = 0.45 if number % 10 == 5 else 0
    return (distance <= edge) & (distance >= inner), top, left
