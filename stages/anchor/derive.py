"""One sample to its anchors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from stages.anchor.appearance import appearance_of, grey_image, label_unions
from stages.anchor.location import location_of, ranks_of
from stages.anchor.regions import Region, regions_of
from stages.anchor.relations import relations_of
from stages.anchor.shape import centroid_xy, feret_mm, shape_of
from stages.core.params import AnchorParams
from stages.core.records import Anchor, ItemError, Ranks, Relation, Sample

_DIGITS = 4


@dataclass(frozen=True)
class Derived:
    """What one sample gave: anchors in order, unusable objects, counts of dropped components by reason."""

    anchors: list[Anchor]
    errors: list[ItemError]
    dropped: Counter[str]


def derive(sample: Sample, params: AnchorParams) -> Derived:
    """Anchors of one sample, numbered ``sample_id#n`` in the order of its objects; errors are values."""
    grey = grey_image(sample.image)
    if grey is None or grey.shape != (sample.height, sample.width):
        found = "cannot be decoded" if grey is None else f"is {grey.shape[1]} x {grey.shape[0]}"
        cause = f"the stored picture {found}, the sample says {sample.width} x {sample.height}"
        return Derived([], [ItemError(sample.sample_id, "anchor", "bad_image", "", cause)], Counter())
    regions, errors, dropped = regions_of(sample, params)
    ids = [f"{sample.sample_id}#{number}" for number in range(len(regions))]
    areas = [int(np.count_nonzero(region.mask)) for region in regions]
    centroids = [_centroid_of(region) for region in regions]
    ranks = ranks_of([region.label for region in regions], areas, centroids)
    relations = relations_of(regions, ids)
    unions = label_unions(regions, grey.shape)
    anchors = [
        _anchor(sample, grey, unions[region.label], region, ids[n], areas[n], centroids[n], ranks[n], relations[n], params)
        for n, region in enumerate(regions)
    ]
    return Derived(anchors, errors, dropped)


def _centroid_of(region: Region) -> list[float]:
    """Centroid [x, y] in the image's pixel-edge space."""
    x, y = centroid_xy(region.mask)
    return [round(x + region.column, _DIGITS), round(y + region.row, _DIGITS)]


def _anchor(
    sample: Sample,
    grey: np.ndarray,
    same_label: np.ndarray,
    region: Region,
    anchor_id: str,
    area_px: int,
    centroid_xy_px: list[float],
    ranks: Ranks,
    relations: list[Relation],
    params: AnchorParams,
) -> Anchor:
    spacing = sample.spacing_mm
    return Anchor(
        anchor_id=anchor_id,
        sample_id=sample.sample_id,
        label=region.label,
        kind=region.kind,
        instance=region.instance,
        box_xyxy_px=region.box_xyxy_px,
        area_px=area_px,
        area_mm2=None if spacing is None else round(area_px * spacing[0] * spacing[1], _DIGITS),
        length_mm=None if spacing is None else round(feret_mm(region.mask, spacing), _DIGITS),
        centroid_xy_px=centroid_xy_px,
        fraction_of_image=area_px / (sample.width * sample.height),
        shape=shape_of(region.mask),
        appearance=appearance_of(grey, region, same_label, params.ring_px),
        location=location_of(centroid_xy_px, region.box_xyxy_px, sample.width, sample.height, sample.halves_are),
        ranks=ranks,
        relations=relations,
        mask_rle=region.rle,
    )
