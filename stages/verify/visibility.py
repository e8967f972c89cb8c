"""How plainly an object stands out in the picture where its mask says it is: the embedded image judge.

Two measurements, both blind to what the object is:

- ``ring_difference``: total variation distance (0-1) between the grey levels of the object and those of a ring around it.
- ``edge_z``: step of grey level across the mask's contour, compared with the same contour shifted off the object:
  (step - median of the shifted) / their robust spread. A contour that lies on no edge steps no more than a shifted one.
  The step is the mean over eight sectors of the absolute mean step in the sector, so that an object which is darker
  than its neighbour on one side and brighter on the other still has an edge.

The score (0-1) is a logistic mix of both; its constants are fitted on annotated objects of eight public datasets and the
four phantom sets against their own masks laid elsewhere in the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_N_SHIFTS = 72
_SHIFTS_IN_DIAMETERS = (0.25, 0.4, 0.55, 0.75, 1.0, 1.3)
_GOLDEN_TURN = 0.381966
_MAX_CONTOUR_POINTS = 240
_N_SECTORS = 8
_N_BINS = 8
_BIAS, _RING_WEIGHT, _EDGE_WEIGHT = -4.4, 7.93, 0.57
_EDGE_RANGE = (-3.0, 10.0)


@dataclass(frozen=True)
class Visibility:
    """Score in [0, 1] and the measurements behind it; ``contrast_grey`` is mean inside minus mean of the ring."""

    score: float
    ring_difference: float
    edge_z: float
    contrast_grey: float | None


def visibility(grey: np.ndarray, mask: np.ndarray, same_label: np.ndarray) -> Visibility:
    """Visibility of the object of ``mask`` in ``grey`` (both (height, width)); ``same_label`` masks its siblings and itself."""
    rows, columns = _window(mask, 40 + int(1.5 * diameter_px(mask)))
    grey, mask, same_label = grey[rows, columns], mask[rows, columns], same_label[rows, columns]
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)
    difference, contrast = _ring_difference(smooth, mask, same_label)
    edge = edge_step_z(smooth, mask)
    logit = _BIAS + _RING_WEIGHT * difference + _EDGE_WEIGHT * float(np.clip(edge, *_EDGE_RANGE))
    return Visibility(float(1 / (1 + np.exp(-logit))), difference, edge, contrast)


def diameter_px(mask: np.ndarray) -> float:
    """Diameter of the disc of the mask's area."""
    return 2 * float(np.sqrt(mask.sum() / np.pi))


def _ring_difference(smooth: np.ndarray, mask: np.ndarray, same_label: np.ndarray) -> tuple[float, float | None]:
    """(total variation distance, mean difference in grey levels) against a ring as wide as a quarter of the diameter."""
    width = int(np.clip(round(0.25 * diameter_px(mask)), 3, 12))
    rows, columns = _window(mask, width + 1)
    inside = mask[rows, columns]
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ring = (distance > 0) & (distance <= width) & ~same_label[rows, columns]
    values = smooth[rows, columns]
    a, b = values[inside], values[ring]
    if a.size == 0 or b.size == 0:
        return 0.0, None
    low, high = np.percentile(np.concatenate([a, b]), [1, 99])
    bins = np.linspace(low - 1e-3, high + 1e-3, _N_BINS + 1)
    p, q = (np.histogram(np.clip(part, low, high), bins)[0] / part.size for part in (a, b))
    return 0.5 * float(np.abs(p - q).sum()), float(a.mean() - b.mean())


def _window(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(0, rows[0] - margin), min(mask.shape[0], rows[-1] + 1 + margin)),
        slice(max(0, columns[0] - margin), min(mask.shape[1], columns[-1] + 1 + margin)),
    )


def edge_step_z(smooth: np.ndarray, mask: np.ndarray) -> float:
    """How far the grey step across the contour stands out among the steps across shifted contours; 0 when unmeasurable."""
    points, normals = _contour(mask)
    if len(points) < 6:
        return 0.0
    diameter = diameter_px(mask)
    shifts = np.concatenate([np.zeros((1, 2), np.float32), _shifts(diameter)])
    reach = float(np.clip(0.15 * diameter, 1.5, 4.0))
    steps = _steps(smooth, points, normals, shifts, reach)
    own, shifted = steps[0], steps[1:][np.isfinite(steps[1:])]
    if not np.isfinite(own) or len(shifted) < 8:
        return 0.0
    middle = float(np.median(shifted))
    spread = 1.4826 * float(np.median(np.abs(shifted - middle)))
    return (float(own) - middle) / max(spread, 1.0)


def _shifts(diameter: float) -> np.ndarray:
    """Displacements (n, 2) as x, y in all directions, by a share of the object's diameter and at least 4 px."""
    number = np.arange(_N_SHIFTS)
    angle = 2 * np.pi * _GOLDEN_TURN * number
    length = np.maximum(4.0, diameter * np.array(_SHIFTS_IN_DIAMETERS)[number % len(_SHIFTS_IN_DIAMETERS)])
    return (length[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)).astype(np.float32)


def _sectors(points: np.ndarray) -> np.ndarray:
    """Sector number of each contour point, by its direction from the contour's middle."""
    away = points - points.mean(axis=0)
    turn = (np.arctan2(away[:, 1], away[:, 0]) + np.pi) / (2 * np.pi)
    return np.minimum((turn * _N_SECTORS).astype(int), _N_SECTORS - 1)


def _contour(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 2) as x, y on the outer contour at pixel centres, and outward unit normals (n, 2)."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = [contour[:, 0, :].astype(np.float32) for contour in contours if len(contour) >= 6]
    if not found:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    points, normals = [], []
    for contour in found:
        tangent = sum(np.roll(contour, -k, axis=0) - np.roll(contour, k, axis=0) for k in (1, 2))
        normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
        points.append(contour)
        normals.append(normal)
    all_points, all_normals = np.concatenate(points), np.concatenate(normals)
    every = max(1, len(all_points) // _MAX_CONTOUR_POINTS)
    return all_points[::every], all_normals[::every]


def _steps(smooth: np.ndarray, points: np.ndarray, normals: np.ndarray, shifts: np.ndarray, reach: float) -> np.ndarray:
    """Step of each shifted contour, shape (shifts,): mean over sectors of |mean difference of grey level| across it.

    NaN for a contour of which half or more leaves the image.
    """
    height, width = smooth.shape
    placed = points[None] + shifts[:, None]
    ahead, behind = placed + np.float32(reach) * normals, placed - np.float32(reach) * normals
    last = np.array([width - 1, height - 1], np.float32)
    there = ((ahead >= 0) & (ahead < last) & (behind >= 0) & (behind < last)).all(axis=2)
    difference = np.where(there, _sample(smooth, ahead) - _sample(smooth, behind), 0)
    members = np.eye(_N_SECTORS, dtype=np.float32)[_sectors(points)]
    counts = there.sum(axis=1)
    step = np.abs(difference @ members).sum(axis=1) / np.maximum(counts, 1)
    return np.where(counts >= 0.5 * len(points), step, np.nan)


def _sample(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Grey levels at points (..., 2) as x, y, bilinear."""
    x, y = (np.ascontiguousarray(points[..., axis], np.float32) for axis in (0, 1))
    return cv2.remap(image, x, y, cv2.INTER_LINEAR)
