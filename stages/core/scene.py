"""All anchors of one image as arrays, and the thresholds of words: what claims are executed on."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.core.records import Anchor, Relation, Sample


@dataclass(frozen=True)
class Thresholds:
    """Where words begin, each with the half width of the zone in which nothing may be said (``knowledge/words.yaml``).

    Lengths are shares of the image's width or height; ``*_ratio`` are ratios; grey levels are 0-255.
    """

    side_margin: float
    vertical_margin: float
    cell_margin: float
    elongated: float
    elongated_margin: float
    round: float
    round_margin: float
    irregular_solidity: float
    irregular_margin: float
    contrast_grey: float
    contrast_margin_grey: float
    direction: float
    direction_margin: float
    direction_slope: float
    direction_slope_margin: float
    inside: float
    inside_margin: float
    touching_px: float
    touching_mm: float | None
    between_along: float
    between_along_margin: float
    between_across: float
    between_across_margin: float
    hollow: float
    hollow_margin: float
    midline: float
    midline_margin: float
    zone_third_margin: float
    zone_half_margin: float
    zone_depth: float
    zone_depth_margin: float
    size_mm: float
    size_mm_margin: float
    rank_size_ratio: float
    rank_position: float
    rank_brightness_grey: float
    nearest_ratio: float


@dataclass(frozen=True)
class Scene:
    """All anchors of one image and what is known of the image. ``spacing_mm`` is [row, column] or None.

    ``memo`` keeps what was computed once (margins by claim, matrices of pairs); it is no part of the scene's value.
    """

    sample_id: str
    width: int
    height: int
    modality: str
    image_left_is: str | None
    spacing_mm: list[float] | None
    annotated_labels: tuple[str, ...]
    anchors: tuple[Anchor, ...]
    plane: str | None = None
    memo: dict = field(default_factory=dict, init=False, compare=False, repr=False)

    @functools.cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """Attributes of all anchors as arrays of shape (n,); NaN where an attribute has no value."""
        anchors = self.anchors
        raw: dict[str, list[float | None]] = {
            "cx": [a.centroid_xy_px[0] for a in anchors],
            "cy": [a.centroid_xy_px[1] for a in anchors],
            "size": [a.area_px for a in anchors],
            "elongation": [a.shape.elongation for a in anchors],
            "solidity": [a.shape.solidity for a in anchors],
            "enclosed_share": [a.shape.enclosed_share for a in anchors],
            "contrast": [a.appearance.contrast for a in anchors],
            "brightness": [a.appearance.mean for a in anchors],
            "length_mm": [a.length_mm for a in anchors],
        }
        return {name: np.array([np.nan if v is None else v for v in values], float) for name, values in raw.items()}

    @functools.cached_property
    def ids(self) -> tuple[str, ...]:
        """Anchor ids in order."""
        return tuple(anchor.anchor_id for anchor in self.anchors)

    @functools.cached_property
    def crowds(self) -> np.ndarray:
        """Boolean array (n,): anchors that stand for several objects."""
        return np.array([anchor.crowd for anchor in self.anchors], bool)

    @functools.cached_property
    def _by_label(self) -> dict[str, np.ndarray]:
        found: dict[str, list[int]] = {}
        for index, anchor in enumerate(self.anchors):
            found.setdefault(anchor.label, []).append(index)
        return {name: np.array(places) for name, places in found.items()}

    def with_label(self, name: str) -> np.ndarray:
        """Boolean array (n,): anchors of the label (or of one of several, "a|b")."""
        chosen = np.zeros(len(self.anchors), bool)
        for wanted in name.split("|"):
            if wanted in self._by_label:
                chosen[self._by_label[wanted]] = True
        return chosen

    @functools.cached_property
    def recorded(self) -> dict[str, list[tuple[int, int, Relation]]]:
        """Relations between anchors of the scene by kind: (row, column, relation), in the order of the anchors."""
        place = {anchor_id: index for index, anchor_id in enumerate(self.ids)}
        found: dict[str, list[tuple[int, int, Relation]]] = {}
        for row, anchor in enumerate(self.anchors):
            for relation in anchor.relations:
                if relation.other in place:
                    found.setdefault(relation.kind, []).append((row, place[relation.other], relation))
        return found


def scene_of(sample: Sample, anchors: Sequence[Anchor]) -> Scene:
    """The scene of a sample and its anchors (those of other samples are not accepted)."""
    if any(anchor.sample_id != sample.sample_id for anchor in anchors):
        raise ValueError(f"{sample.sample_id}: anchors of another sample were given")
    return Scene(
        sample.sample_id, sample.width, sample.height, sample.modality, sample.halves_are, sample.spacing_mm,
        tuple(sample.annotated_labels), tuple(anchors), sample.plane,
    )  # fmt: skip
