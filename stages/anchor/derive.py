"""One sample to its anchors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from stages.anchor.appearance import appearances_of, grey_image
from stages.anchor.groups import groups_of
from stages.anchor.location import location_of
from stages.anchor.measure import measure_crops
from stages.anchor.ranks import ranks_of
from stages.anchor.regions import Region, regions_of
from stages.anchor.relations import Frame, relations_of
from stages.anchor.shape import rounded, shapes_of
from stages.anchor.zones import zones_of
from stages.core.params import AnchorParams
from stages.core.records import Anchor, AnchorGroup, Appearance, ItemError, Location, Ranks, Relation, Sample, Shape
from stages.knowledge.words import textures, thresholds

_DIGITS = 4


@dataclass(frozen=True)
class Derived:
    """What one sample gave: anchors in order, their groups, unusable objects, counts by reason (``components.targets_of``)."""

    anchors: list[Anchor]
    groups: list[AnchorGroup]
    errors: list[ItemError]
    counts: Counter[str]


class _Naming:
    """Adds the sample's id to whatever goes wrong inside; nothing is caught."""

    def __init__(self, sample_id: str) -> None:
        self._sample_id = sample_id

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            error.add_note(f"while anchors were derived from sample {self._sample_id!r}")


def derive(sample: Sample, params: AnchorParams) -> Derived:
    """Anchors of one sample, numbered ``sample_id#n`` in the order of its objects, and their groups; errors are values."""
    with _Naming(sample.sample_id):
        grey = grey_image(sample.image)
        if grey is None or grey.shape != (sample.height, sample.width):
            found = "cannot be decoded" if grey is None else f"is {grey.shape[1]} x {grey.shape[0]}"
            cause = f"the stored picture {found}, the sample says {sample.width} x {sample.height}"
            return Derived([], [], [ItemError(sample.sample_id, "anchor", "bad_image", "", cause)], Counter())
        regions, errors, counts = regions_of(sample, params)
        anchors = _anchors(sample, grey, regions, params)
        return Derived(anchors, groups_of(sample, anchors, regions), errors, counts)


def _anchors(sample: Sample, grey: np.ndarray, regions: list[Region], params: AnchorParams) -> list[Anchor]:
    ids = [f"{sample.sample_id}#{number}" for number in range(len(regions))]
    t = thresholds()
    measures = measure_crops(regions, grey, params.ring_px, sample.spacing_mm)
    areas = measures["area_px"].tolist()
    centroids = [[round(x, _DIGITS), round(y, _DIGITS)] for x, y in measures[["centroid_x_px", "centroid_y_px"]].tolist()]
    shapes, appearances = shapes_of(measures, t), appearances_of(measures, sample.modality, textures())
    ranks = ranks_of([region.label for region in regions], areas, centroids, sample.width, sample.height, t)
    relations = relations_of(regions, ids, centroids, Frame(sample.width, sample.height, sample.spacing_mm), t)
    zones = zones_of(regions, ids, centroids, relations, grey.shape, sample.plane, sample.image_left_is, t)
    places = [
        location_of(centroid, region.box_xyxy_px, sample.width, sample.height, sample.halves_are, t, zone)
        for centroid, region, zone in zip(centroids, regions, zones, strict=True)
    ]
    return [_anchor(sample, region, ids[n], measures[n], centroids[n], shapes[n], appearances[n], places[n], ranks[n], relations[n]) for n, region in enumerate(regions)]


def _anchor(
    sample: Sample,
    region: Region,
    anchor_id: str,
    measures: np.void,
    centroid_xy_px: list[float],
    shape: Shape,
    appearance: Appearance,
    location: Location,
    ranks: Ranks,
    relations: list[Relation],
) -> Anchor:
    return Anchor(
        anchor_id=anchor_id,
        sample_id=sample.sample_id,
        label=region.label,
        kind=region.kind,
        instance=region.instance,
        box_xyxy_px=region.box_xyxy_px,
        area_px=int(measures["area_px"]),
        area_mm2=rounded(float(measures["area_mm2"])),
        length_mm=rounded(float(measures["feret_max_mm"])),
        centroid_xy_px=centroid_xy_px,
        fraction_of_image=float(measures["fraction_of_image"]),
        shape=shape,
        appearance=appearance,
        location=location,
        ranks=ranks,
        relations=relations,
        mask_rle=region.rle,
        crowd=region.crowd,
    )
