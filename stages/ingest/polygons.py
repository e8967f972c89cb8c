"""The one rasteriser of polygons, contours and drawn shapes.

Space: points are (x, y) in pixel-edge coordinates: pixel (row r, column c) covers [c, c + 1) x [r, r + 1) and its centre is
(c + 0.5, r + 0.5). A pixel belongs to the mask when its centre lies inside an odd number of the rings (even-odd rule): a
ring inside another one is a hole. A centre exactly on an outline belongs to the side of growing x and y, so that two
regions that share an outline share no pixel, and the areas of a tiling add up.

Sources that put whole numbers on pixel *centres* are shifted by half a pixel (``pixel_centre`` 0.0); those that put them
on pixel edges (COCO, LabelMe) are taken as they are (0.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Points this far outside the image, in pixels, are still rounding and not a mistake.
_ROUNDING_PX = 1.0
# A drawn circle is a polygon with one point for so many pixels of its circumference.
_CIRCLE_STEP_PX = 0.5


class PolygonError(ValueError):
    """Rings that give no mask; the message says what is wrong. ``empty``: they lie in the image and hold no pixel of it."""

    def __init__(self, message: str, empty: bool = False) -> None:
        super().__init__(message)
        self.empty = empty


@dataclass(frozen=True)
class Filled:
    """A boolean crop whose first pixel lies at ``corner`` = (row, column); ``clipped``: a part lay outside the image."""

    mask: np.ndarray
    corner: tuple[int, int]
    clipped: bool


def fill_rings(rings: Sequence[np.ndarray], shape: tuple[int, int], pixel_centre: float = 0.5) -> Filled:
    """Rasterise closed rings of points (n, 2) as (x, y) into an image of ``shape`` (height, width).

    Raises:
        PolygonError: a ring of fewer than three points, points that are no finite numbers, rings wholly outside the image,
            or so thin that they hold no pixel centre.
    """
    moved = [_checked(ring) + (0.5 - pixel_centre) for ring in rings]
    if not moved:
        raise PolygonError("it has no points")
    points = np.concatenate(moved)
    low, high = points.min(axis=0), points.max(axis=0)
    height, width = shape
    left, top = (max(0, int(value)) for value in np.floor(low))
    right, bottom = min(width, int(np.ceil(high[0]))), min(height, int(np.ceil(high[1])))
    if right <= left or bottom <= top:
        span = f"x {low[0]:.1f} to {high[0]:.1f}, y {low[1]:.1f} to {high[1]:.1f}"
        outside = high[0] <= 0 or high[1] <= 0 or low[0] >= width or low[1] >= height
        raise PolygonError(f"it lies outside the image of {width} x {height} ({span})" if outside else f"it has no area ({span})", not outside)
    mask = _parity(moved, top, left, bottom - top, right - left)
    if not mask.any():
        raise PolygonError("it holds no pixel centre: it has no area, or is thinner than a pixel", empty=True)
    clipped = bool((low < -_ROUNDING_PX).any() or high[0] > width + _ROUNDING_PX or high[1] > height + _ROUNDING_PX)
    return Filled(mask, (top, left), clipped)


def _checked(ring: np.ndarray) -> np.ndarray:
    ring = np.asarray(ring, float).reshape(-1, 2)
    if len(ring) < 3:
        raise PolygonError(f"{len(ring)} points enclose nothing, three are needed")
    if not np.isfinite(ring).all():
        raise PolygonError("a point is not a finite number")
    return ring


def _parity(rings: Sequence[np.ndarray], top: int, left: int, height: int, width: int) -> np.ndarray:
    """Even-odd fill of a window: every edge turns the parity of a row from its crossing with that row's centres on."""
    turns = np.zeros(height * (width + 1), np.int64)
    for ring in rings:
        x0, y0 = ring[:, 0] - left, ring[:, 1] - top
        x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
        # An edge is followed upwards whichever way its ring runs: two regions that share it then round to one crossing.
        back = y1 < y0
        x0, y0, x1, y1 = np.where(back, x1, x0), np.where(back, y1, y0), np.where(back, x0, x1), np.where(back, y0, y1)
        # Rows whose centre r + 0.5 lies in [lower end, upper end) of the edge.
        first = np.clip(np.ceil(y0 - 0.5), 0, height).astype(np.int64)
        last = np.clip(np.ceil(y1 - 0.5), 0, height).astype(np.int64)
        n_rows = last - first
        edge = np.repeat(np.arange(len(ring)), n_rows)
        row = np.arange(len(edge)) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows) + first[edge]
        slope = (x1 - x0)[edge] / (y1 - y0)[edge]
        crossing = x0[edge] + (row + 0.5 - y0[edge]) * slope
        column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)
        turns += np.bincount(row * (width + 1) + column, minlength=len(turns))
    parity = np.cumsum(turns.reshape(height, width + 1), axis=1)[:, :width]
    return (parity & 1).astype(bool)


def rectangle(corner: Sequence[float], opposite: Sequence[float]) -> np.ndarray:
    """Ring (4, 2) of a rectangle by two opposite corners (x, y)."""
    (x0, y0), (x1, y1) = corner, opposite
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)


def circle(centre: Sequence[float], rim: Sequence[float]) -> np.ndarray:
    """Ring of a circle by its centre and a point of its rim; of the area of the circle to within one part in a thousand."""
    radius = float(np.hypot(rim[0] - centre[0], rim[1] - centre[1]))
    count = int(np.clip(np.ceil(2 * np.pi * radius / _CIRCLE_STEP_PX), 64, 100_000))
    angle = np.arange(count) * (2 * np.pi / count)
    return np.stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)], axis=1)
