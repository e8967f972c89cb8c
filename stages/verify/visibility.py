"""How plainly an object stands out in the picture where its mask says it is: the embedded image judge's measurements.

None of them knows what the object is; ``norms`` compares them with those of other patients' objects of the same class.

- ``ring_difference``: total variation distance (0-1) between the grey levels of the object and those of a ring around it.
- ``edge_z``: step of grey level across the mask's contour, compared with the same contour shifted off the object:
  (step - median of the shifted) / their robust spread. A contour that lies on no edge steps no more than a shifted one.
  The step is the mean over eight sectors of the absolute mean step in the sector, so that an object which is darker
  than its neighbour on one side and brighter on the other still has an edge.
- ``traits``: levels, contrast, texture, edges and colour of object and ring, and gradient histograms of the place
  (``place``).

The score (0-1) is a logistic mix of the first two; its constants are fitted on annotated objects of eight public datasets
and the four phantom sets against their own masks laid elsewhere in the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.verify.picture import Picture
from stages.verify.place import gradients

_N_SHIFTS = 60
_SHIFTS_IN_DIAMETERS = (0.25, 0.4, 0.55, 0.75, 1.0, 1.3)
_GOLDEN_TURN = 0.381966
_MAX_CONTOUR_POINTS = 200
_N_SECTORS = 8
_N_BINS = 8
_BIAS, _RING_WEIGHT, _EDGE_WEIGHT = -4.4, 7.93, 0.57
_EDGE_RANGE = (-3.0, 10.0)
# Objects are measured at most this large: a picture that is scaled down keeps its edges and loses its noise.
DIAMETER_PX = 72.0
_LEAST_RING_PX = 8
N_MEASURES = 25


@dataclass(frozen=True)
class Visibility:
    """Score in [0, 1] and the measurements behind it; ``contrast_grey`` is mean inside minus mean of the ring.

    ``traits``: array (n,) of float32, None where nothing can be measured.
    """

    score: float
    ring_difference: float
    edge_z: float
    contrast_grey: float | None
    traits: np.ndarray | None = None


def visibility(picture: Picture, mask: np.ndarray, same_label: np.ndarray, with_traits: bool = False) -> Visibility:
    """Visibility of the object of ``mask`` (height, width) in the picture; ``same_label`` masks its siblings and itself."""
    rows, columns = window(mask, 12 + int(1.5 * diameter_px(mask)))
    crop = picture.crop(rows, columns)
    scale = min(1.0, DIAMETER_PX / diameter_px(mask))
    crop, inside, siblings = crop.scaled(scale), scaled(mask[rows, columns], scale), scaled(same_label[rows, columns], scale)
    if not inside.any():
        return Visibility(0.0, 0.0, 0.0, None)
    smooth = cv2.GaussianBlur(crop.grey, (0, 0), 1.0)
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ring = (distance > 0) & (distance <= np.clip(round(0.25 * diameter_px(inside)), 3, 12)) & ~siblings
    difference, contrast = _ring_difference(smooth[inside], smooth[ring])
    edge = _edge(smooth, inside)
    logit = _BIAS + _RING_WEIGHT * difference + _EDGE_WEIGHT * float(np.clip(edge[0], *_EDGE_RANGE))
    traits = None
    if with_traits and ring.sum() >= _LEAST_RING_PX:
        levels = [difference, *edge, logit, *_levels(crop, smooth, inside, ring), *_relief(crop.grey, smooth, inside, ring, distance)]
        traits = np.array([*levels, *gradients(picture, mask)], np.float32)
    return Visibility(float(1 / (1 + np.exp(-logit))), difference, edge[0], contrast, traits=traits)


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


def _ring_difference(a: np.ndarray, b: np.ndarray) -> tuple[float, float | None]:
    """(total variation distance, mean difference in grey levels) of the object's grey levels from the ring's."""
    if a.size == 0 or b.size == 0:
        return 0.0, None
    low, high = np.percentile(np.concatenate([a, b]), [1, 99])
    bins = np.linspace(low - 1e-3, high + 1e-3, _N_BINS + 1)
    p, q = (np.histogram(np.clip(part, low, high), bins)[0] / part.size for part in (a, b))
    return 0.5 * float(np.abs(p - q).sum()), float(a.mean() - b.mean())


def _levels(crop: Picture, smooth: np.ndarray, inside: np.ndarray, ring: np.ndarray) -> list[float]:
    """Place of the grey levels in the picture's own, robust contrast, spread and colour of object and ring."""
    a, b = smooth[inside], smooth[ring]
    median_a, median_b = np.median(a), np.median(b)
    spread_a, spread_b = (1.4826 * np.median(np.abs(part - middle)) for part, middle in ((a, median_a), (b, median_b)))
    contrast = float(np.clip((median_a - median_b) / (0.5 * (spread_a + spread_b) + 2), -8, 8))
    places = [*crop.level(np.percentile(a, [10, 50, 90])), *crop.level(np.percentile(b, [10, 50, 90]))]
    colours = [0.0] * 4
    if crop.chroma is not None:
        own, around = np.median(crop.chroma[inside], axis=0), np.median(crop.chroma[ring], axis=0)
        colours = [*own, *(own - around)]
    return [contrast, abs(contrast), *places, float(np.log((spread_a + 2) / (spread_b + 2))), float(np.log(spread_a + 2)), *colours]


def _relief(grey: np.ndarray, smooth: np.ndarray, inside: np.ndarray, ring: np.ndarray, distance: np.ndarray) -> list[float]:
    """Logarithms of grain and slope: grain inside, grain inside over ring, slope inside, slope at the edge over inside."""
    grain = np.abs(grey - smooth)
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)) / 8
    core = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    within = slope[core if core.any() else inside].mean()
    edge = slope[(distance <= 1.5) & ~core].mean()
    ours, theirs = grain[inside].mean(), grain[ring].mean()
    pairs = ((ours, None), (ours, theirs), (within, None), (edge, within))
    return [float(np.log(a + 0.5) - (0 if b is None else np.log(b + 0.5))) for a, b in pairs]


def _edge(smooth: np.ndarray, mask: np.ndarray) -> tuple[float, float, float, float, float]:
    """How far the step across the contour stands out among those across shifted contours.

    Robust z of the sectors' step, the share of shifted contours that step less, logarithm of the step, robust z of the
    step from outside to inside with its sign, and that step over the first. Zeros (and one half) when unmeasurable.
    """
    points, normals = _contour(mask)
    unmeasurable = 0.0, 0.5, 0.0, 0.0, 0.0
    if len(points) < 6:
        return unmeasurable
    diameter = diameter_px(mask)
    shifts = np.concatenate([np.zeros((1, 2), np.float32), _shifts(diameter)])
    steps, signed = _steps(smooth, points, normals, shifts, float(np.clip(0.15 * diameter, 1.5, 4.0)))
    there = np.isfinite(steps)
    if not there[0] or there[1:].sum() < 8:
        return unmeasurable
    own, others = float(steps[0]), steps[1:][there[1:]]
    z, signed_z = _robust_z(steps[there]), _robust_z(signed[there])
    return z, float((others < own).mean()), float(np.log(own + 1)), float(np.clip(signed_z, -10, 10)), float(signed[0] / (own + 1))


def _robust_z(values: np.ndarray) -> float:
    """The first value against the others: distance from their median in normal-consistent median absolute deviations."""
    middle = float(np.median(values[1:]))
    spread = 1.4826 * float(np.median(np.abs(values[1:] - middle)))
    return (float(values[0]) - middle) / max(spread, 1.0)


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


def _steps(
    smooth: np.ndarray, points: np.ndarray, normals: np.ndarray, shifts: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Steps of each shifted contour, two arrays of shape (shifts,): mean over sectors of |mean difference of grey level|
    across it, and the plain mean of inside less outside. NaN for a contour of which half or more leaves the image.
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
    signed = -difference.sum(axis=1) / np.maximum(counts, 1)
    whole = counts >= 0.5 * len(points)
    return np.where(whole, step, np.nan), np.where(whole, signed, np.nan)


def _sample(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Grey levels at points (..., 2) as x, y, bilinear."""
    x, y = (np.ascontiguousarray(points[..., axis], np.float32) for axis in (0, 1))
    return cv2.remap(image, x, y, cv2.INTER_LINEAR)
