"""Shape of every object as a record: what ``measure`` found, and None where the quantity has no meaning.

All of it is measured on the image's pixel grid, as it is seen; only names in ``_mm`` use the spacing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stages.core.claims import Thresholds
from stages.core.records import Shape

# Below these areas the pixel grid, and not the object, decides the value.
MIN_AREA_FOR_AXES_PX = 12
MIN_AREA_FOR_CIRCULARITY_PX = 30
# Rounder than this, the direction of the long axis is noise.
MIN_ELONGATION_FOR_ORIENTATION = 1.15
DIGITS = 4


def shapes_of(measures: np.ndarray, t: Thresholds) -> list[Shape]:
    """Shapes of the objects of ``measures`` (n,) of ``measure.FIELDS``, in their order.

    Sizes are always there, in millimetres with a spacing. Axes' ratio, eccentricity, hull, perimeter and hollowness are
    None below 12 px, circularity below 30 px, the elongation of a line one pixel wide, and the orientation of an
    object whose axes differ by less than 15 %.
    """
    rows = [dict(zip(measures.dtype.names, row, strict=True)) for row in measures.tolist()]
    return [_shape(row, t) for row in rows]


def _shape(row: dict[str, Any], t: Thresholds) -> Shape:
    large = row["area_px"] >= MIN_AREA_FOR_AXES_PX
    oriented = large and row["major_axis_px"] / row["minor_axis_px"] >= MIN_ELONGATION_FOR_ORIENTATION
    return Shape(
        equivalent_diameter_px=round(row["equivalent_diameter_px"], DIGITS),
        major_axis_px=round(row["major_axis_px"], DIGITS),
        minor_axis_px=round(row["minor_axis_px"], DIGITS),
        orientation_deg=_half_turn(row["orientation_deg"]) if oriented else None,
        elongation=rounded(row["elongation"]) if large else None,
        eccentricity=rounded(row["eccentricity"]) if large else None,
        solidity=rounded(row["solidity"]) if large else None,
        circularity=rounded(row["circularity"]) if row["area_px"] >= MIN_AREA_FOR_CIRCULARITY_PX else None,
        feret_max_px=round(row["feret_max_px"], DIGITS),
        feret_min_px=round(row["feret_min_px"], DIGITS),
        feret_min_mm=rounded(row["feret_min_mm"]),
        equivalent_diameter_mm=rounded(row["equivalent_diameter_mm"]),
        perimeter_px=rounded(row["perimeter_px"]) if large else None,
        perimeter_mm=rounded(row["perimeter_mm"]) if large else None,
        convexity=rounded(row["convexity"]) if large else None,
        enclosed_share=rounded(row["enclosed_share"]) if large else None,
        hollow=_hollow(row["enclosed_share"], t) if large else None,
    )


def rounded(value: float) -> float | None:
    """The value as tables hold it; None for NaN."""
    return None if math.isnan(value) else round(value, DIGITS)


def _half_turn(angle_deg: float) -> float:
    """The angle in [0, 180), also after rounding."""
    return round(angle_deg % 180.0, DIGITS) % 180.0


def _hollow(enclosed_share: float, t: Thresholds) -> bool | None:
    """Hollow or solid, None within the margin of the threshold (``knowledge/words.yaml``)."""
    if abs(enclosed_share - t.hollow) < t.hollow_margin:
        return None
    return enclosed_share > t.hollow
