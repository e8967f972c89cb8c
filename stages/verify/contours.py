"""Steps of grey level across a contour: where it lies, where it is shifted, where it is drawn larger or smaller."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.verify.extent import diameter_px

_N_SHIFTS = 60
_SHIFTS_IN_DIAMETERS = (0.25, 0.4, 0.55, 0.75, 1.0, 1.3)
_GOLDEN_TURN = 0.381966
_MAX_CONTOUR_POINTS = 200
_N_SECTORS = 8
_FACTORS = (0.5, 0.7, 0.85, 1.2, 1.4, 2.0)
_LEAST_POINTS = 6
N_SCALES = 2 * len(_FACTORS)


@dataclass(frozen=True)
class Contour:
    """Points (n, 2) as x, y at pixel centres, outward unit normals (n, 2), the mask's diameter in pixels."""

    points: np.ndarray
    normals: np.ndarray
    diameter: float

    @property
    def reach(self) -> float:
        """How far to either side of the contour a step is measured, in pixels."""
        return float(np.clip(0.15 * self.diameter, 1.5, 4.0))


def edge(smooth: np.ndarray, contour: Contour) -> tuple[float, float, float, float, float]:
    """How far the step across the contour stands out among those across shifted contours.

    Robust z of the sectors' step, the share of shifted contours that step less, logarithm of the step, robust z of the
    step from outside to inside with its sign, and that step over the first. Zeros (and one half) when unmeasurable.
    """
    unmeasurable = 0.0, 0.5, 0.0, 0.0, 0.0
    if len(contour.points) < _LEAST_POINTS:
        return unmeasurable
    shifts = np.concatenate([np.zeros((1, 2), np.float32), _shifts(contour.diameter)])
    steps, signed = _steps(smooth, contour.points, contour.normals, shifts, contour.reach)
    there = np.isfinite(steps)
    if not there[0] or there[1:].sum() < 8:
        return unmeasurable
    own, others = float(steps[0]), steps[1:][there[1:]]
    z, signed_z = _robust_z(steps[there]), _robust_z(signed[there])
    return z, float((others < own).mean()), float(np.log(own + 1)), float(np.clip(signed_z, -10, 10)), float(signed[0] / (own + 1))


def scales(smooth: np.ndarray, contour: Contour) -> np.ndarray:
    """How the step changes when the contour is drawn smaller or larger about its middle, (``N_SCALES``,).

    For each of six factors the logarithm of the sectors' step there over that of the contour itself, then for each the
    difference of the signed step in units of it. A contour of half the object's length steps more where it is drawn twice
    as long. 0 where the drawn contour leaves the image.
    """
    found = np.zeros(N_SCALES, np.float32)
    if len(contour.points) < _LEAST_POINTS:
        return found
    middle, still = contour.points.mean(axis=0), np.zeros((1, 2), np.float32)
    drawn = [middle + (contour.points - middle) * np.float32(factor) for factor in (1.0, *_FACTORS)]
    pairs = [_steps(smooth, points, contour.normals, still, contour.reach) for points in drawn]
    steps, signed = (np.array([pair[side][0] for pair in pairs]) for side in (0, 1))
    found[: len(_FACTORS)] = np.log((steps[1:] + 2) / (steps[0] + 2))
    found[len(_FACTORS) :] = (signed[1:] - signed[0]) / (steps[0] + 2)
    return np.nan_to_num(found)


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


def contour_of(mask: np.ndarray) -> Contour:
    """The outer contour of a mask (height, width), of all its parts."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = [contour[:, 0, :].astype(np.float32) for contour in contours if len(contour) >= _LEAST_POINTS]
    if not found:
        return Contour(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32), diameter_px(mask))
    points, normals = [], []
    for contour in found:
        tangent = sum(np.roll(contour, -k, axis=0) - np.roll(contour, k, axis=0) for k in (1, 2))
        normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
        points.append(contour)
        normals.append(normal)
    all_points, all_normals = np.concatenate(points), np.concatenate(normals)
    every = max(1, len(all_points) // _MAX_CONTOUR_POINTS)
    return Contour(all_points[::every], all_normals[::every], diameter_px(mask))


def _steps(smooth: np.ndarray, points: np.ndarray, normals: np.ndarray, shifts: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
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
