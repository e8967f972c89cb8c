"""Measures of all objects of a picture in one compiled pass, from a label map or from crops that may overlap.

Definitions, units and sources of every measure stand at ``FIELDS``. ``shape.shapes_of`` and ``appearance.appearances_of``
turn a row into records and put None where a quantity has no meaning.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from types import ModuleType
from typing import Protocol

import numpy as np

from stages.anchor.compiled import compiled

# One row an object. Pixels are unit squares, coordinates pixel-edge; NaN is the null of this array. Values are raw: the
# least sizes from which they mean something are applied where they become records.
FIELDS = np.dtype(
    [
        # number of pixels; times the area of a pixel
        ("area_px", np.int64),
        ("area_mm2", np.float64),
        # tight box, half-open: [x0, x1) x [y0, y1)
        ("x0", np.int64),
        ("y0", np.int64),
        ("x1", np.int64),
        ("y1", np.int64),
        # mean of the pixel centres (column + 0.5, row + 0.5)
        ("centroid_x_px", np.float64),
        ("centroid_y_px", np.float64),
        # diameter of the disc of the same area, 2 sqrt(A / pi)
        ("equivalent_diameter_px", np.float64),
        ("equivalent_diameter_mm", np.float64),
        # axes (full length) of the ellipse with the same second moments, each pixel a unit square (Haralick & Shapiro
        # 1992, Computer and Robot Vision I, appendix A): 4 sqrt(principal moment)
        ("major_axis_px", np.float64),
        ("minor_axis_px", np.float64),
        # direction of the major axis, counter-clockwise on the screen from +x, in [0, 180)
        ("orientation_deg", np.float64),
        # sqrt(1 - (minor / major)^2), 0 for a disc or one pixel; major / minor, NaN for a line one pixel wide
        ("eccentricity", np.float64),
        ("elongation", np.float64),
        # area / area of the convex hull of the pixel squares, in (0, 1]
        ("solidity", np.float64),
        # greatest and least distance of two parallel lines that enclose the pixel squares (Feret 1930; rotating calipers)
        ("feret_max_px", np.float64),
        ("feret_min_px", np.float64),
        ("feret_max_mm", np.float64),
        ("feret_min_mm", np.float64),
        # Cauchy-Crofton with four directions, inner boundaries included (Legland et al. 2007, Image Anal Stereol 26:83);
        # in mm each direction counts with its angular share and the distance of its lines (Lehmann & Legland 2012)
        ("perimeter_px", np.float64),
        ("perimeter_mm", np.float64),
        # 4 pi A / P^2 in pixels, at most 1 (Cox 1927, J Paleontol 1:179)
        ("circularity", np.float64),
        # perimeter of the hull / perimeter, both Cauchy-Crofton with the same directions, so that a digital convex
        # object has exactly 1; at most 1 (Zunic & Rosin 2002, "A convexity measurement for polygons")
        ("convexity", np.float64),
        # background that no 4-connected path leads out of / itself plus the object, in [0, 1)
        ("enclosed_share", np.float64),
        # image borders touched: 1 left, 2 right, 4 top, 8 bottom, added up
        ("border", np.int64),
        # area / area of the image
        ("fraction_of_image", np.float64),
        # grey levels 0-255 inside: mean, standard deviation, median, median absolute deviation from the median
        ("mean", np.float64),
        ("std", np.float64),
        ("median", np.float64),
        ("mad", np.float64),
        # mean absolute grey difference of the 4-neighbour pairs inside: the dissimilarity of the co-occurrences at
        # distance 1, directions 0 and 90 degrees pooled (Haralick et al. 1973, IEEE SMC 3:610); NaN without a pair
        ("texture", np.float64),
        # the ring: pixels whose centre is at most the ring's width from a centre of the object, without the objects of
        # its class; their number and the same statistics, NaN where there is none
        ("ring_px", np.int64),
        ("ring_mean", np.float64),
        ("ring_std", np.float64),
        ("ring_median", np.float64),
        ("ring_mad", np.float64),
        # mean - ring mean; over the ring's standard deviation, NaN where that is 0
        ("contrast", np.float64),
        ("contrast_to_noise", np.float64),
        # median - ring median; over 1.4826 ring MAD, which estimates a normal deviation (Rousseeuw & Croux 1993), NaN at 0
        ("robust_contrast", np.float64),
        ("robust_contrast_to_noise", np.float64),
    ]
)


class Crop(Protocol):
    """A mask as a boolean crop whose upper left pixel is (``row``, ``column``) of the image; rings leave out its ``label``."""

    @property
    def label(self) -> str: ...
    @property
    def row(self) -> int: ...
    @property
    def column(self) -> int: ...
    @property
    def mask(self) -> np.ndarray: ...


def measure_labels(
    labels: np.ndarray, grey: np.ndarray, ring_px: int, spacing_mm: Sequence[float] | None = None, classes: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The labels of an integer map (height, width) that occur, ascending, and their measures (n,) of ``FIELDS``.

    0 is background. ``grey`` is (height, width) uint8, ``spacing_mm`` [row, column]. ``classes`` gives the class (from 0)
    of each label value; without it all are of one class.

    Raises:
        ValueError: a map that is not two-dimensional and integer, has a negative label or another size than ``grey``.
    """
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer) or labels.shape != grey.shape:
        raise ValueError(f"a label map must be integer, (height, width) as its image {grey.shape}, got {labels.dtype} {labels.shape}")
    if not labels.size:
        return np.zeros(0, np.int32), np.empty(0, FIELDS)
    table = _kernels().scan(_as_int32(labels))
    found, names = table[:, 0], None
    if found.size and found.min() < 0:
        raise ValueError(f"labels must be 0 (background) or positive, got {int(found.min())}")
    largest = int(found.max(initial=0))
    if largest > 65535 + 4 * found.size:
        # Far-flung values: count by rank, so that the time does not grow with the values.
        names, ranks = np.unique(found, return_inverse=True)
        table[:, 0], largest = ranks + 1, names.size
    present, offsets, runs = _kernels().grouped(table, largest)
    if names is not None:
        present = names[present - 1]
    groups = np.zeros(present.size, np.int64) if classes is None else np.unique(classes[present], return_inverse=True)[1]
    return present, _measured(runs, offsets, groups, grey, ring_px, spacing_mm)


def measure_crops(crops: Sequence[Crop], grey: np.ndarray, ring_px: int, spacing_mm: Sequence[float] | None = None) -> np.ndarray:
    """Measures (n,) of ``FIELDS`` of crops that lie inside ``grey`` (height, width) uint8; they may overlap.

    Raises:
        ValueError: a crop without a pixel, or outside the image.
    """
    if not crops:
        return np.empty(0, FIELDS)
    frames = np.array([(crop.row, crop.column, *crop.mask.shape) for crop in crops], np.int64)
    if frames[:, :2].min() < 0 or ((frames[:, :2] + frames[:, 2:]) > grey.shape).any():
        raise ValueError(f"a crop lies outside the image of {grey.shape[1]} x {grey.shape[0]} pixels")
    pixels = np.concatenate([crop.mask.ravel() for crop in crops]).astype(bool, copy=False).view(np.uint8)
    offsets, runs = _kernels().runs_of_crops(pixels, frames)
    if (offsets[1:] == offsets[:-1]).any():
        raise ValueError(f"crop {int(np.argmin(np.diff(offsets)))} has no foreground pixel")
    groups = np.unique([crop.label for crop in crops], return_inverse=True)[1]
    return _measured(runs, offsets, groups, grey, ring_px, spacing_mm)


def _as_int32(labels: np.ndarray) -> np.ndarray:
    limit = np.iinfo(np.int32)
    if np.iinfo(labels.dtype).bits >= 32 and labels.dtype != np.int32 and not limit.min <= labels.min() <= labels.max() <= limit.max:
        raise ValueError(f"labels must fit 32 bits, the largest is {labels.max()}: renumber them")
    return np.ascontiguousarray(labels, np.int32)


def _measured(runs: np.ndarray, offsets: np.ndarray, groups: np.ndarray, grey: np.ndarray, ring_px: int, spacing_mm: Sequence[float] | None) -> np.ndarray:
    row_mm, column_mm = (np.nan, np.nan) if spacing_mm is None else (float(spacing_mm[0]), float(spacing_mm[1]))
    out = np.empty(offsets.size - 1, FIELDS)
    grey = np.ascontiguousarray(grey, np.uint8)
    _kernels().measure_runs(runs, offsets, groups.astype(np.int64, copy=False), grey, int(ring_px), row_mm, column_mm, out)
    return out


@functools.cache
def _kernels() -> ModuleType:
    return compiled("driver", ("driver", "greys", "outline", "runs"), _warm)


def _warm(driver: ModuleType) -> None:
    table = driver.scan(np.zeros((1, 1), np.int32))
    _, offsets, runs = driver.grouped(table, 0)
    driver.runs_of_crops(np.zeros(1, np.uint8), np.zeros((0, 4), np.int64))
    driver.measure_runs(runs, offsets, np.zeros(0, np.int64), np.zeros((1, 1), np.uint8), 1, 1.0, 1.0, np.empty(0, FIELDS))
