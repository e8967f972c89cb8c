"""The same attributes from others: scikit-image's table, alone and completed, and SimpleITK's label statistics."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from skimage.measure import regionprops_table

# Those of our attributes that the table offers itself.
OWN = (
    "label", "area", "bbox", "centroid", "equivalent_diameter_area", "axis_major_length", "axis_minor_length", "orientation", "eccentricity",
    "solidity", "feret_diameter_max", "perimeter_crofton", "area_filled", "intensity_mean", "intensity_std", "intensity_median",
)  # fmt: skip


def regionprops_own(labels: np.ndarray, grey: np.ndarray) -> dict[str, Any]:
    """What ``regionprops_table`` offers by itself: no ring, no contrast, no texture, no least Feret diameter, no convexity."""
    return regionprops_table(labels, grey, properties=OWN)


def mad(mask: np.ndarray, grey: np.ndarray) -> float:
    """Median absolute deviation inside."""
    inside = grey[mask]
    return float(np.median(np.abs(inside - np.median(inside))))


def texture(mask: np.ndarray, grey: np.ndarray) -> float:
    """Mean absolute difference of neighbours inside."""
    levels = grey.astype(np.int16)
    across = np.abs(np.diff(levels, axis=1))[mask[:, 1:] & mask[:, :-1]]
    down = np.abs(np.diff(levels, axis=0))[mask[1:] & mask[:-1]]
    differences = np.concatenate([across, down])
    return float(differences.mean()) if differences.size else math.nan


def regionprops_all(labels: np.ndarray, grey: np.ndarray, ring_px: int) -> dict[str, Any]:
    """All of our attributes: the table, with the missing ones as extra properties, and rings on padded crops."""
    table = regionprops_table(labels, grey, properties=OWN, extra_properties=(mad, texture))
    table["circularity"] = np.minimum(1, 4 * math.pi * table["area"] / table["perimeter_crofton"] ** 2)
    table["enclosed_share"] = 1 - table["area"] / table["area_filled"]
    boxes = np.stack([table[f"bbox-{k}"] for k in range(4)], 1)
    table["border"] = (boxes[:, :2] == 0).any(1) | (boxes[:, 2:] == labels.shape).any(1)
    outlines = [_outline(labels, value, box) for value, box in zip(table["label"], boxes, strict=True)]
    table["feret_diameter_min"], hull_perimeters = np.array(outlines).T
    table["convexity"] = np.minimum(1, hull_perimeters / table["perimeter_crofton"])
    rings = np.array([_ring(labels, grey, value, box, ring_px) for value, box in zip(table["label"], boxes, strict=True)]).T
    table["ring_mean"], table["ring_std"], table["ring_median"], table["ring_mad"] = rings
    table["contrast"] = table["intensity_mean"] - table["ring_mean"]
    table["contrast_to_noise"] = table["contrast"] / table["ring_std"]
    table["robust_contrast"] = table["intensity_median"] - table["ring_median"]
    table["robust_contrast_to_noise"] = table["robust_contrast"] / (1.4826 * table["ring_mad"])
    return table


def _outline(labels: np.ndarray, value: int, box: np.ndarray) -> tuple[float, float]:
    """Least caliper width, and the hull's perimeter by four directions."""
    mask = (labels[box[0] : box[2], box[1] : box[3]] == value).astype(np.uint8)
    rows, columns = np.nonzero(mask)
    corners = np.stack([np.concatenate([columns, columns + 1] * 2), np.concatenate([rows, rows, rows + 1, rows + 1])], 1)
    hull = cv2.convexHull(corners.astype(np.int32))[:, 0].astype(float)
    edges = np.roll(hull, -1, axis=0) - hull
    normals = np.stack([-edges[:, 1], edges[:, 0]], 1) / np.hypot(*edges.T)[:, None]
    least = np.ptp(hull @ normals.T, axis=0).min()
    slanting = np.ptp(rows - columns) + np.ptp(rows + columns) + 2
    return float(least), math.pi / 4 * (sum(mask.shape) + slanting / math.sqrt(2))


def _ring(labels: np.ndarray, grey: np.ndarray, value: int, box: np.ndarray, ring_px: int) -> tuple[float, float, float, float]:
    window = tuple(slice(max(0, box[k] - ring_px), box[k + 2] + ring_px) for k in (0, 1))
    crop = labels[window]
    around = grey[window][(ndimage.distance_transform_edt(crop != value) <= ring_px) & (crop == 0)]
    if not around.size:
        return (math.nan,) * 4
    median = np.median(around)
    return float(around.mean()), float(around.std()), float(median), float(np.median(np.abs(around - median)))


def simpleitk_own(labels: np.ndarray, grey: np.ndarray) -> int:
    """Label shape (Feret diameter and perimeter on) and intensity statistics, computed and not yet read; the number of labels."""
    image, picture = sitk.GetImageFromArray(labels), sitk.GetImageFromArray(grey)
    shapes, levels = sitk.LabelShapeStatisticsImageFilter(), sitk.LabelIntensityStatisticsImageFilter()
    shapes.ComputeFeretDiameterOn()
    shapes.ComputePerimeterOn()
    shapes.Execute(image)
    levels.Execute(image, picture)
    return int(shapes.GetNumberOfLabels())
