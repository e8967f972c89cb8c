"""Everyday shapes as implicit functions, drawn with soft edges.

A shape lives in local coordinates (u, v), where its outline fits the square [-1, 1]; its function is negative
inside and roughly a distance. ``coverage`` places it on the pixel grid: long half axis, aspect, rotation, softness.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Outline = Callable[[np.ndarray, np.ndarray, tuple[float, ...]], np.ndarray]


@dataclass(frozen=True)
class Geometry:
    """Placement of a shape: pixel-edge centre, long half axis in px, short/long ratio, rotation, edge width in px.

    ``bumps`` are free numbers in [-1, 1] that make irregular outlines differ.
    """

    centre_x_px: float
    centre_y_px: float
    half_length_px: float
    aspect: float
    angle_rad: float
    edge_px: float
    bumps: tuple[float, ...]


@dataclass(frozen=True)
class ShapeKind:
    """One kind of shape: its outline, the range of its short/long ratio, whether it may rotate, its nouns."""

    outline: Outline
    aspects: tuple[float, float]
    rotates: bool
    nouns: tuple[str, ...]


def _disc(u: np.ndarray, v: np.ndarray, _: tuple[float, ...]) -> np.ndarray:
    return np.hypot(u, v) - 1


def _box(u: np.ndarray, v: np.ndarray, _: tuple[float, ...]) -> np.ndarray:
    return np.power(np.abs(u) ** 8 + np.abs(v) ** 8, 1 / 8) - 1


def _triangle(u: np.ndarray, v: np.ndarray, _: tuple[float, ...]) -> np.ndarray:
    return np.maximum(v - 1, np.abs(u) * 0.894 - (v + 1) * 0.447)


def _ring(u: np.ndarray, v: np.ndarray, bumps: tuple[float, ...]) -> np.ndarray:
    width = 0.24 + 0.06 * bumps[0]
    return np.abs(np.hypot(u, v) - (1 - width)) - width


def _blob(u: np.ndarray, v: np.ndarray, bumps: tuple[float, ...]) -> np.ndarray:
    theta = np.arctan2(v, u)
    waves = sum(bumps[k] * np.cos((k + 2) * theta + 3 * bumps[-1 - k]) / (k + 2) for k in range(3))
    return np.hypot(u, v) - (0.82 + 0.3 * waves)


def _bean(u: np.ndarray, v: np.ndarray, bumps: tuple[float, ...]) -> np.ndarray:
    bite = 0.55 + 0.12 * bumps[0] - np.hypot(u, v - 1.05)
    return np.maximum(np.hypot(u, v) - 1, bite)


def _tube(u: np.ndarray, v: np.ndarray, bumps: tuple[float, ...]) -> np.ndarray:
    bent = v * 1.9 - 0.9 * bumps[0] * (2 * u * u - 1)
    return np.power(u**4 + bent**4, 1 / 4) - 1


KINDS: dict[str, ShapeKind] = {
    "circle": ShapeKind(_disc, (0.92, 1.0), False, ("circle", "disc", "ball")),
    "oval": ShapeKind(_disc, (0.5, 0.78), True, ("oval", "ellipse", "egg")),
    "square": ShapeKind(_box, (0.92, 1.0), False, ("square", "box")),
    "triangle": ShapeKind(_triangle, (0.85, 1.0), False, ("triangle",)),
    "ring": ShapeKind(_ring, (0.75, 1.0), True, ("ring", "donut")),
    "blob": ShapeKind(_blob, (0.45, 1.0), True, ("blob", "patch", "splash")),
    "bean": ShapeKind(_bean, (0.55, 0.75), True, ("bean",)),
    "tube": ShapeKind(_tube, (0.3, 0.5), True, ("tube", "worm", "strip")),
}


@dataclass(frozen=True)
class Patch:
    """Coverage of pixels, float32 in [0, 1], in the window ``rows`` x ``columns`` of the picture."""

    rows: slice
    columns: slice
    alpha: np.ndarray


def coverage(kind: str, geometry: Geometry, side_px: int) -> Patch | None:
    """How much of each pixel the shape covers, in the window that it can reach; None when that is outside the square.

    The edge is a linear ramp of ``edge_px``.
    """
    reach = geometry.half_length_px * 1.15 + geometry.edge_px + 1
    x0, x1 = _window(geometry.centre_x_px, reach, side_px)
    y0, y1 = _window(geometry.centre_y_px, reach, side_px)
    if x0 >= x1 or y0 >= y1:
        return None
    xs = np.arange(x0, x1, dtype=np.float32)[None, :] + np.float32(0.5 - geometry.centre_x_px)
    ys = np.arange(y0, y1, dtype=np.float32)[:, None] + np.float32(0.5 - geometry.centre_y_px)
    cos, sin = np.float32(np.cos(geometry.angle_rad)), np.float32(np.sin(geometry.angle_rad))
    half_width = np.float32(geometry.half_length_px * geometry.aspect)
    u = (xs * cos + ys * sin) / np.float32(geometry.half_length_px)
    v = (ys * cos - xs * sin) / half_width
    distance_px = KINDS[kind].outline(u, v, geometry.bumps) * half_width
    return Patch(slice(y0, y1), slice(x0, x1), np.clip(0.5 - distance_px / np.float32(geometry.edge_px), 0, 1))


def _window(centre: float, reach: float, side_px: int) -> tuple[int, int]:
    return max(int(centre - reach), 0), min(int(centre + reach) + 1, side_px)
