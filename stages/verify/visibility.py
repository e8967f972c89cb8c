"""How plainly an object stands out in the picture where its mask says it is: the embedded image judge.

Two measurements, both blind to what the object is:

- ``ring_auc``: how well grey level tells the object from a ring around it, as the area under the ROC curve of the two
  grey-level distributions (0.5 = not at all, folded to [0.5, 1]).
- ``edge_z``: step of grey level across the mask's contour, compared with the same contour shifted off the object:
  (step - median of the shifted) / their robust spread. A contour that lies on no edge steps no more than a shifted one.

The score (0-1) is a logistic mix of both; its constants are fitted to tell annotated objects from their own masks
shifted off them, with 0.5 where both are equally likely.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_N_SHIFTS = 24
_MAX_CONTOUR_POINTS = 400
_BIAS, _AUC_WEIGHT, _EDGE_WEIGHT = -4.0, 8.0, 0.5
_EDGE_CLIP = 8.0


@dataclass(frozen=True)
class Visibility:
    """Score in [0, 1] and the measurements behind it; ``contrast_grey`` is mean inside minus mean of the ring."""

    score: float
    ring_auc: float
    edge_z: float
    contrast_grey: float | None


def visibility(grey: np.ndarray, mask: np.ndarray, same_label: np.ndarray) -> Visibility:
    """Visibility of the object of ``mask`` in ``grey`` (both (height, width)); ``same_label`` masks its siblings and itself."""
    auc, contrast = ring_contrast(grey, mask, same_label)
    edge = edge_step_z(grey, mask)
    logit = _BIAS + _AUC_WEIGHT * (auc - 0.5) + _EDGE_WEIGHT * float(np.clip(edge, -_EDGE_CLIP, _EDGE_CLIP))
    return Visibility(float(1 / (1 + np.exp(-logit))), auc, edge, contrast)


def ring_contrast(grey: np.ndarray, mask: np.ndarray, same_label: np.ndarray) -> tuple[float, float | None]:
    """(folded AUC, mean difference in grey levels) of the object against a ring as wide as a quarter of its diameter."""
    width = int(np.clip(round(0.25 * 2 * np.sqrt(mask.sum() / np.pi)), 3, 12))
    rows, columns = _window(mask, width + 1)
    inside = mask[rows, columns]
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ring = (distance > 0) & (distance <= width) & ~same_label[rows, columns]
    values = grey[rows, columns]
    a, b = values[inside], values[ring]
    if a.size == 0 or b.size == 0:
        return 0.5, None
    auc = _auc(a, b)
    return max(auc, 1 - auc), float(a.mean() - b.mean())


def _window(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(0, rows[0] - margin), min(mask.shape[0], rows[-1] + 1 + margin)),
        slice(max(0, columns[0] - margin), min(mask.shape[1], columns[-1] + 1 + margin)),
    )


def _auc(a: np.ndarray, b: np.ndarray) -> float:
    """Mann-Whitney probability that a value of ``a`` exceeds one of ``b``, ties half, from 256-bin histograms."""
    bins = np.arange(257)
    high, low = np.histogram(a, bins)[0], np.histogram(b, bins)[0]
    below = np.concatenate([[0], np.cumsum(low)[:-1]])
    return float((high * (below + 0.5 * low)).sum() / (a.size * b.size))


def edge_step_z(grey: np.ndarray, mask: np.ndarray) -> float:
    """How far the grey step across the contour stands out among the steps across shifted contours."""
    points, normals = _contour(mask)
    if len(points) < 6:
        return 0.0
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)
    diameter = 2 * np.sqrt(mask.sum() / np.pi)
    reach = float(np.clip(0.15 * diameter, 1.5, 4.0))
    own = _step(smooth, points, normals, reach)
    steps = []
    for number in range(_N_SHIFTS):
        angle = 2 * np.pi * number / _N_SHIFTS
        length = max(4.0, diameter * (0.6, 0.9, 1.2)[number % 3])
        moved = points + length * np.array([np.cos(angle), np.sin(angle)])
        step = _step(smooth, moved, normals, reach)
        if step is not None:
            steps.append(step)
    if own is None or len(steps) < 4:
        return 0.0
    middle = float(np.median(steps))
    spread = 1.4826 * float(np.median(np.abs(np.array(steps) - middle)))
    return (own - middle) / max(spread, 1.0)


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


def _step(image: np.ndarray, points: np.ndarray, normals: np.ndarray, reach: float) -> float | None:
    """|Mean difference of grey level| between the two sides of a contour; None when over half of it leaves the image."""
    ahead, behind = points + reach * normals, points - reach * normals
    height, width = image.shape
    both = np.concatenate([ahead, behind], axis=1)
    there = ((both >= 0) & (both < np.array([width - 1, height - 1] * 2))).all(axis=1)
    if there.mean() < 0.5:
        return None
    difference = _sample(image, ahead[there]) - _sample(image, behind[there])
    return float(abs(difference.mean()))


def _sample(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    x, y = np.ascontiguousarray(points[:, 0], np.float32), np.ascontiguousarray(points[:, 1], np.float32)
    return cv2.remap(image, x.reshape(-1, 1), y.reshape(-1, 1), cv2.INTER_LINEAR)[:, 0]
