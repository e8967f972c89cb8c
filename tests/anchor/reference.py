"""Every measure of one mask in plain NumPy, straight from its definition and without any thought of speed."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull


def measures_of(mask: np.ndarray, grey: np.ndarray, same_class: np.ndarray, ring_px: int, spacing_mm: list[float] | None) -> dict[str, float]:
    """Fields of ``measure.FIELDS`` of a boolean mask (height, width); NaN is null. ``same_class`` holds all objects of the class."""
    rows, columns = np.nonzero(mask)
    found = {"area_px": rows.size, "x0": columns.min(), "y0": rows.min(), "x1": columns.max() + 1, "y1": rows.max() + 1}
    found |= {"centroid_x_px": columns.mean() + 0.5, "centroid_y_px": rows.mean() + 0.5, "fraction_of_image": rows.size / mask.size}
    found["border"] = int(mask[:, 0].any()) + 2 * int(mask[:, -1].any()) + 4 * int(mask[0].any()) + 8 * int(mask[-1].any())
    found["enclosed_share"] = np.count_nonzero(ndimage.binary_fill_holes(mask) & ~mask) / np.count_nonzero(ndimage.binary_fill_holes(mask))
    found |= _axes(rows, columns) | _hull(rows, columns, spacing_mm) | _perimeters(mask, spacing_mm)
    area_mm2 = math.nan if spacing_mm is None else rows.size * spacing_mm[0] * spacing_mm[1]
    found |= {"area_mm2": area_mm2, "equivalent_diameter_mm": math.sqrt(4 * area_mm2 / math.pi)}
    found["equivalent_diameter_px"] = math.sqrt(4 * rows.size / math.pi)
    found["circularity"] = min(1.0, 4 * math.pi * rows.size / found["perimeter_px"] ** 2)
    ring = (ndimage.distance_transform_edt(~mask) <= ring_px) & ~same_class
    return found | _greys(mask, ring, grey)


def _axes(rows: np.ndarray, columns: np.ndarray) -> dict[str, float]:
    xx, yy = columns.var() + 1 / 12, rows.var() + 1 / 12
    xy = -np.mean((columns - columns.mean()) * (rows - rows.mean()))
    small, large = np.linalg.eigvalsh([[xx, xy], [xy, yy]])
    return {
        "major_axis_px": 4 * math.sqrt(large),
        "minor_axis_px": 4 * math.sqrt(small),
        "eccentricity": math.sqrt(max(0.0, 1 - small / large)),
        "elongation": math.nan if small - 1 / 12 < 1e-9 else math.sqrt(large / small),
        "orientation_deg": math.degrees(0.5 * math.atan2(2 * xy, xx - yy)) % 180,
    }


def _hull(rows: np.ndarray, columns: np.ndarray, spacing_mm: list[float] | None) -> dict[str, float]:
    corners = np.unique(np.concatenate([np.stack([columns + dx, rows + dy], 1) for dx in (0, 1) for dy in (0, 1)]), axis=0)
    hull = corners[ConvexHull(corners).vertices]
    found = {"solidity": rows.size / ConvexHull(corners).volume}
    for unit, scale in (("px", (1.0, 1.0)), ("mm", None if spacing_mm is None else (spacing_mm[1], spacing_mm[0]))):
        widths = (math.nan, math.nan) if scale is None else _widths(hull * scale)
        found[f"feret_max_{unit}"], found[f"feret_min_{unit}"] = widths
    return found


def _widths(hull: np.ndarray) -> tuple[float, float]:
    longest = max(float(np.hypot(*(hull - point).T).max()) for point in hull)
    edges = np.roll(hull, -1, axis=0) - hull
    normals = np.stack([-edges[:, 1], edges[:, 0]], 1) / np.hypot(*edges.T)[:, None]
    return longest, float(min(np.ptp(hull @ normal) for normal in normals))


def _perimeters(mask: np.ndarray, spacing_mm: list[float] | None) -> dict[str, float]:
    padded = np.pad(mask, 1)
    along, down = np.count_nonzero(padded[:, 1:] != padded[:, :-1]), np.count_nonzero(padded[1:] != padded[:-1])
    diagonal = np.count_nonzero(padded[1:, 1:] != padded[:-1, :-1]) + np.count_nonzero(padded[1:, :-1] != padded[:-1, 1:])
    rows, columns = np.nonzero(mask)
    perimeter = math.pi / 8 * (along + down + diagonal / math.sqrt(2))
    straight, slanting = np.ptp(rows) + np.ptp(columns) + 2, np.ptp(rows - columns) + np.ptp(rows + columns) + 2
    found = {"perimeter_px": perimeter, "perimeter_mm": math.nan}
    found["convexity"] = min(1.0, math.pi / 4 * (straight + slanting / math.sqrt(2)) / perimeter)
    if spacing_mm is not None:
        row_mm, column_mm = spacing_mm
        angle = math.atan(row_mm / column_mm) / math.pi
        spaces = row_mm * column_mm / math.hypot(row_mm, column_mm)
        found["perimeter_mm"] = math.pi / 2 * (angle * row_mm * along + (0.5 - angle) * column_mm * down + spaces * diagonal / 4)
    return found


def _greys(mask: np.ndarray, ring: np.ndarray, grey: np.ndarray) -> dict[str, float]:
    levels = grey.astype(float)
    found: dict[str, float] = {"ring_px": np.count_nonzero(ring)}
    for prefix, values in (("", levels[mask]), ("ring_", levels[ring])):
        statistics = {"mean": np.mean, "std": np.std, "median": np.median, "mad": lambda v: np.median(np.abs(v - np.median(v)))}
        found |= {prefix + name: float(function(values)) if values.size else math.nan for name, function in statistics.items()}
    pairs = [np.abs(np.diff(levels, axis=1))[mask[:, 1:] & mask[:, :-1]], np.abs(np.diff(levels, axis=0))[mask[1:] & mask[:-1]]]
    differences = np.concatenate(pairs)
    found["texture"] = float(differences.mean()) if differences.size else math.nan
    found["contrast"], found["robust_contrast"] = found["mean"] - found["ring_mean"], found["median"] - found["ring_median"]
    found["contrast_to_noise"] = found["contrast"] / found["ring_std"] if found["ring_std"] > 0 else math.nan
    found["robust_contrast_to_noise"] = found["robust_contrast"] / (1.4826 * found["ring_mad"]) if found["ring_mad"] > 0 else math.nan
    return found
