"""Shape of a mask from its crop: area, moments, hull, Feret diameter, Crofton perimeter.

Every pixel counts as a unit square, so moments carry the square's own 1/12 and a hull runs through pixel corners.
All of it is measured on the image's pixel grid, as it is seen; only ``feret_mm`` uses the spacing.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from stages.core.records import Shape

# Below these areas the pixel grid, and not the object, decides the value.
MIN_AREA_FOR_AXES_PX = 12
MIN_AREA_FOR_CIRCULARITY_PX = 30
# Rounder than this, the direction of the long axis is noise.
MIN_ELONGATION_FOR_ORIENTATION = 1.15
_DIGITS = 4


def centroid_xy(mask: np.ndarray) -> tuple[float, float]:
    """Centroid (x, y) of a boolean crop (height, width) in the crop's pixel-edge space: pixel centre = index + 0.5."""
    moments = cv2.moments(mask.view(np.uint8), binaryImage=True)
    return moments["m10"] / moments["m00"] + 0.5, moments["m01"] / moments["m00"] + 0.5


def shape_of(mask: np.ndarray) -> Shape:
    """Shape of a boolean crop (height, width) with at least one pixel; None where the object is too small to tell.

    Axes are those of the ellipse with the same second moments, orientation is counter-clockwise from the +x axis
    as seen on the screen, in [0, 180). Elongation is major / minor, None below 12 px or for a one pixel thin line.
    Circularity is 4 pi A / P^2 with the Crofton perimeter (inner boundaries count), at most 1, None below 30 px.
    """
    area = int(np.count_nonzero(mask))
    large, small, angle_deg = _principal_moments(mask)
    major, minor = 4 * math.sqrt(large), 4 * math.sqrt(small)
    thin = small - 1 / 12 < 1e-9
    elongation = None if area < MIN_AREA_FOR_AXES_PX or thin else major / minor
    oriented = area >= MIN_AREA_FOR_AXES_PX and major / minor >= MIN_ELONGATION_FOR_ORIENTATION
    return Shape(
        equivalent_diameter_px=round(math.sqrt(4 * area / math.pi), _DIGITS),
        major_axis_px=round(major, _DIGITS),
        minor_axis_px=round(minor, _DIGITS),
        orientation_deg=_half_turn(angle_deg) if oriented else None,
        elongation=None if elongation is None else round(elongation, _DIGITS),
        eccentricity=None if area < MIN_AREA_FOR_AXES_PX else round(math.sqrt(max(0.0, 1 - small / large)), _DIGITS),
        solidity=None if area < MIN_AREA_FOR_AXES_PX else round(solidity(mask), _DIGITS),
        circularity=None if area < MIN_AREA_FOR_CIRCULARITY_PX else round(circularity(mask), _DIGITS),
    )


def _half_turn(angle_deg: float) -> float:
    """The angle in [0, 180), also after rounding."""
    return round(angle_deg % 180.0, _DIGITS) % 180.0


def _principal_moments(mask: np.ndarray) -> tuple[float, float, float]:
    """Larger and smaller principal second moment (px^2) and the major axis's angle in degrees, y pointing up."""
    moments = cv2.moments(mask.view(np.uint8), binaryImage=True)
    xx = moments["mu20"] / moments["m00"] + 1 / 12
    yy = moments["mu02"] / moments["m00"] + 1 / 12
    xy = -moments["mu11"] / moments["m00"]  # rows grow downwards, the screen's y upwards
    spread = math.hypot((xx - yy) / 2, xy)
    mean = (xx + yy) / 2
    return mean + spread, max(mean - spread, 1 / 12), math.degrees(0.5 * math.atan2(2 * xy, xx - yy))


def hull_corners(mask: np.ndarray) -> np.ndarray:
    """Convex hull (n, 2) of the pixel corners, as (x, y) in the crop's pixel-edge space; from the extremes of each row."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    x = np.concatenate([first, first, last, last])
    y = np.concatenate([rows, rows + 1, rows, rows + 1])
    return cv2.convexHull(np.stack([x, y], axis=1).astype(np.int32)).reshape(-1, 2)


def solidity(mask: np.ndarray) -> float:
    """Area over the area of the hull through pixel corners; in (0, 1], 1 for a rectangle."""
    return float(np.count_nonzero(mask)) / cv2.contourArea(hull_corners(mask))


def perimeter_px(mask: np.ndarray) -> float:
    """Crofton perimeter with four directions: pi/8 of the boundary crossings, diagonal ones weighted by 1/sqrt(2).

    Cauchy-Crofton formula, discretised as in Legland et al. 2007 (Image Anal Stereol 26:83).
    """
    padded = np.pad(mask.view(np.uint8), 1)
    straight = np.count_nonzero(padded[1:] != padded[:-1]) + np.count_nonzero(padded[:, 1:] != padded[:, :-1])
    diagonal = np.count_nonzero(padded[1:, 1:] != padded[:-1, :-1]) + np.count_nonzero(padded[1:, :-1] != padded[:-1, 1:])
    return math.pi / 8 * (float(straight) + float(diagonal) / math.sqrt(2))


def circularity(mask: np.ndarray) -> float:
    """4 pi A / P^2, at most 1 (a small digital disc can come out above)."""
    return min(1.0, 4 * math.pi * float(np.count_nonzero(mask)) / perimeter_px(mask) ** 2)


def feret_mm(mask: np.ndarray, spacing_mm: list[float]) -> float:
    """Largest distance between two pixel corners in millimetres; ``spacing_mm`` is [row, column]."""
    points = hull_corners(mask) * np.array([spacing_mm[1], spacing_mm[0]])
    offsets = points[:, None, :] - points[None, :, :]
    return float(np.sqrt((offsets**2).sum(axis=2).max()))
