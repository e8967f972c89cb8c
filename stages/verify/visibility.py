"""How plainly an object stands out in the picture where its mask says it is: the embedded image judge's measurements.

None of them knows what the object is; ``norms`` compares them with those of other patients' objects of the same class.

- ``ring_difference``: total variation distance (0-1) between the grey levels of the object and those of a ring around it.
- ``edge_z``: step of grey level across the mask's contour, compared with the same contour shifted off the object:
  (step - median of the shifted) / their robust spread. A contour that lies on no edge steps no more than a shifted one.
  The step is the mean over eight sectors of the absolute mean step in the sector, so that an object which is darker
  than its neighbour on one side and brighter on the other still has an edge.
- ``traits``: levels, contrast, texture, edges and colour of object and ring; the same contour drawn smaller and larger
  (``contours``); levels and grain from the object's middle outward; gradient histograms of the place (``place``).

The score (0-1) is a logistic mix of the first two; its constants are fitted on annotated objects of eight public datasets
and the four phantom sets against their own masks laid elsewhere in the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.verify.contours import contour_of, edge, scales
from stages.verify.extent import diameter_px, scaled, window
from stages.verify.picture import Picture
from stages.verify.place import gradients

_N_BINS = 8
# Grey levels that differ by less than one are no difference: a bin is at least that wide.
_LEAST_BIN_GREY = 1.0
# Bands from the middle outward, by distance from the contour in diameters (negative inside).
_BANDS = ((-1.0, -0.25), (-0.25, -0.12), (-0.12, 0.0), (0.0, 0.12), (0.12, 0.25), (0.25, 0.5), (0.5, 0.8))
_LEAST_BAND_PX = 4
_BIAS, _RING_WEIGHT, _EDGE_WEIGHT = -4.4, 7.93, 0.57
_EDGE_RANGE = (-3.0, 10.0)
# Objects are measured at most this large: a picture that is scaled down keeps its edges and loses its noise.
DIAMETER_PX = 72.0
_LEAST_RING_PX = 8
N_MEASURES = 25
N_BANDS = 3 * len(_BANDS)


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
    contour = contour_of(inside)
    stands_out = edge(smooth, contour)
    logit = _BIAS + _RING_WEIGHT * difference + _EDGE_WEIGHT * float(np.clip(stands_out[0], *_EDGE_RANGE))
    traits = None
    if with_traits and ring.sum() >= _LEAST_RING_PX:
        levels = [difference, *stands_out, logit, *_levels(crop, smooth, inside, ring), *_relief(crop.grey, smooth, inside, ring, distance)]
        outward = _bands(crop, smooth, inside, siblings, distance)
        traits = np.array([*levels, *scales(smooth, contour), *outward, *gradients(picture, mask)], np.float32)
    return Visibility(float(1 / (1 + np.exp(-logit))), difference, stands_out[0], contrast, traits=traits)


def _ring_difference(a: np.ndarray, b: np.ndarray) -> tuple[float, float | None]:
    """(total variation distance, mean difference in grey levels) of the object's grey levels from the ring's."""
    if a.size == 0 or b.size == 0:
        return 0.0, None
    low, high = np.percentile(np.concatenate([a, b]), [1, 99])
    lacking = max(0.0, _N_BINS * _LEAST_BIN_GREY - (high - low)) / 2
    low, high = low - lacking, high + lacking
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


def _bands(crop: Picture, smooth: np.ndarray, inside: np.ndarray, siblings: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Level less the object's median, spread of the level, logarithm of the grain over the object's, for each band, (``N_BANDS``,).

    ``outside``: distance (height, width) from the object in pixels; siblings are left out. 0 where a band holds next to nothing.
    """
    within = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    away = np.where(inside, -within, outside) / diameter_px(inside)
    level, grain = crop.level(smooth), np.abs(crop.grey - smooth)
    middle, own, seen = np.median(level[inside]), grain[inside].mean() + 0.5, inside | ~siblings
    found = np.zeros((len(_BANDS), 3), np.float32)
    for row, (nearest, farthest) in zip(found, _BANDS, strict=True):
        band = (away > nearest) & (away <= farthest) & seen
        if band.sum() >= _LEAST_BAND_PX:
            row[:] = level[band].mean() - middle, level[band].std(), np.log((grain[band].mean() + 0.5) / own)
    return found.ravel()
