"""Where in its organ an object lies, for labels whose containing organ is annotated in the same image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from stages.anchor.regions import Region
from stages.core.claims import Thresholds
from stages.core.records import Relation, Zone
from stages.knowledge.labels import label as label_of

# What fills more than this share of its organ lies in no part of it: an opacity of the whole lung is in no third.
MOST_OF_ORGAN = 0.5
_DIGITS = 4


def zones_of(
    regions: Sequence[Region],
    anchor_ids: Sequence[str],
    centroids_xy_px: Sequence[Sequence[float]],
    relations: Sequence[Sequence[Relation]],
    shape: tuple[int, int],
    plane: str | None,
    image_left_is: str | None,
    t: Thresholds,
) -> list[Zone | None]:
    """For every region its zone in the organ that its label lies in; None where no such organ holds it, or it fills most of it.

    The organ is the one with the largest overlap among those that the region lies inside of, ties to the smaller id.
    ``shape`` is the image's (height, width); sides follow from ``image_left_is`` (which side the picture's left is).
    """
    place = {anchor_id: index for index, anchor_id in enumerate(anchor_ids)}
    maps: dict[int, _OrganMap] = {}
    zones: list[Zone | None] = []
    for index, region in enumerate(regions):
        organ = _organ_of(region, relations[index], place, regions)
        if organ is None:
            zones.append(None)
            continue
        if organ not in maps:
            maps[organ] = _OrganMap(regions[organ], shape, _lateral(regions[organ], image_left_is))
        if np.count_nonzero(region.mask) > MOST_OF_ORGAN * maps[organ].area_px:
            zones.append(None)
            continue
        zones.append(_zone(maps[organ], anchor_ids[organ], region, centroids_xy_px[index], plane, t))
    return zones


def _organ_of(region: Region, relations: Sequence[Relation], place: dict[str, int], regions: Sequence[Region]) -> int | None:
    around = label_of(region.label).inside or []
    holders = [r for r in relations if r.kind == "inside" and regions[place[r.other]].label in around]
    return place[min(holders, key=lambda r: (-r.overlap, place[r.other])).other] if holders else None


def _lateral(organ: Region, image_left_is: str | None) -> str | None:
    """The side of the picture, left or right, that the lateral edge of a half of a pair lies on; None where that is unknown."""
    side = label_of(organ.label).side
    if side is None or image_left_is is None:
        return None
    return "left" if image_left_is == f"patient_{side}" else "right"


class _OrganMap:
    """An organ with its holes filled, and the distance in pixels of each of its pixels to its border.

    Where the image cuts the organ off there is no border: the organ goes on. Of a half of a pair, whose ``lateral`` edge
    is known, only the border that faces away from the midline counts: background that lies between the organ and the
    midline on one row with it (in front of the hilum, the heart, the renal sinus) is none. In this sense the lung is
    peripheral along the chest wall and central at the hilum (Casal et al. 2018, Ann Am Thorac Soc 15:118, compare the
    definitions in use: thirds of the way from hilum to chest wall).
    """

    def __init__(self, region: Region, shape: tuple[int, int], lateral: str | None) -> None:
        self.region, self.lateral = region, lateral
        height, width = region.mask.shape
        contours, _ = cv2.findContours(region.mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        self.filled = cv2.drawContours(np.zeros((height, width), np.uint8), contours, -1, 1, cv2.FILLED)
        self.area_px = int(np.count_nonzero(self.filled))
        top, left = int(region.row > 0), int(region.column > 0)
        bottom, right = int(region.row + height < shape[0]), int(region.column + width < shape[1])
        within: Any = _with_medial(np.pad(self.filled, ((top, bottom), (left, right))), lateral)
        distance = cv2.distanceTransform(within, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) if (within == 0).any() else None
        self.depth = None if distance is None else distance[top : top + height, left : left + width]

    def depth_share(self, x: float, y: float) -> float:
        """Distance to the border at a point of the image over the greatest one in the organ; 1 where it has no border."""
        if self.depth is None:
            return 1.0
        row, column = int(y) - self.region.row, int(x) - self.region.column
        if not (0 <= row < self.depth.shape[0] and 0 <= column < self.depth.shape[1]):
            return 0.0
        return float(self.depth[row, column] / self.depth.max())

    def extent_x(self, row: int, bottom: int) -> tuple[int, int]:
        """Columns [first, last) of the image that the organ covers in rows [row, bottom); the whole organ's where none."""
        band = self.filled[max(0, row - self.region.row) : max(0, bottom - self.region.row)]
        columns = np.flatnonzero(band.any(axis=0)) if band.size else np.zeros(0, int)
        if columns.size == 0:
            return self.region.column, self.region.column + self.filled.shape[1]
        return self.region.column + int(columns[0]), self.region.column + int(columns[-1]) + 1


def _with_medial(organ: np.ndarray, lateral: str | None) -> np.ndarray:
    """The organ (uint8) together with all that lies towards the midline from it on its rows; as it is where no side is known."""
    if lateral is None:
        return organ
    outwards = slice(None) if lateral == "left" else slice(None, None, -1)
    return np.ascontiguousarray(np.maximum.accumulate(organ[:, outwards], axis=1)[:, outwards])


def _zone(organ: _OrganMap, organ_id: str, region: Region, centroid: Sequence[float], plane: str | None, t: Thresholds) -> Zone:
    x, y = centroid
    height = organ.region.mask.shape[0]
    vertical = None if plane == "axial" else _share((y - organ.region.row) / height)
    horizontal = _from_medial(organ, region, x)
    depth = _share(organ.depth_share(x, y))
    return Zone(
        organ=organ_id,
        vertical=None if vertical is None else _third(vertical, t.zone_third_margin),
        horizontal=None if horizontal is None else _half(horizontal, 0.5, t.zone_half_margin, "medial", "lateral"),
        depth=_half(depth, t.zone_depth, t.zone_depth_margin, "peripheral", "central"),
        vertical_share=vertical,
        horizontal_share=horizontal,
        depth_share=depth,
    )


def _from_medial(organ: _OrganMap, region: Region, x: float) -> float | None:
    """Place of x between the organ's medial (0) and lateral (1) edge; a left organ's lateral edge is the patient's left."""
    if organ.lateral is None:
        return None
    first, last = organ.extent_x(region.row, region.row + region.mask.shape[0])
    from_image_left = (x - first) / (last - first)
    return _share(1 - from_image_left if organ.lateral == "left" else from_image_left)


def _share(value: float) -> float:
    return round(min(1.0, max(0.0, value)), _DIGITS)


def _third(share: float, margin: float) -> str | None:
    if min(abs(share - 1 / 3), abs(share - 2 / 3)) < margin:
        return None
    return "upper" if share < 1 / 3 else "middle" if share < 2 / 3 else "lower"


def _half(share: float, threshold: float, margin: float, below: str, above: str) -> str | None:
    if abs(share - threshold) < margin:
        return None
    return below if share < threshold else above
