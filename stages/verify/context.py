"""What the checks of one image share: the scene, the parsed texts, the texts seen so far, the picture."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np

from stages.core.claims import Scene, Thresholds, scene_of
from stages.core.geometry import decode_mask
from stages.core.params import VerifyParams
from stages.core.records import Anchor, Query, Sample
from stages.knowledge.labels import label, members
from stages.knowledge.words import thresholds
from stages.verify.norms import NO_NORMS, Norms
from stages.verify.parser import Parsed, parse
from stages.verify.picture import Picture, decoded, picture_of
from stages.verify.visibility import Visibility

_ALIKE = frozenset({"lesion", "finding", "device"})


@dataclass
class Context:
    """One image under verification.

    ``texts``: first query of each normalised text; the cascade fills it in the order of the queries' ids.
    ``visibilities``: what the image judge saw, by anchor id; measured where it is missing, by ``norms``.
    """

    sample: Sample
    anchors: list[Anchor]
    params: VerifyParams
    texts: dict[str, Query] = field(default_factory=dict)
    _parsed: dict[str, Parsed] = field(default_factory=dict)
    norms: Norms = NO_NORMS
    visibilities: dict[str, Visibility] = field(default_factory=dict)

    @functools.cached_property
    def scene(self) -> Scene:
        """All anchors of the image."""
        return scene_of(self.sample, self.anchors)

    @functools.cached_property
    def thresholds(self) -> Thresholds:
        """Where words begin."""
        return thresholds()

    @functools.cached_property
    def by_id(self) -> dict[str, Anchor]:
        """Anchors by their id."""
        return {anchor.anchor_id: anchor for anchor in self.anchors}

    @functools.cached_property
    def known_labels(self) -> frozenset[str]:
        """Labels that this image has or that its source would have marked.

        A general label of the source ("kidney") of which the image has only special ones ("left kidney") stands for these.
        """
        here = {anchor.label for anchor in self.anchors}
        general = {name for name in self.sample.annotated_labels if name not in here and here.intersection(members(name))}
        return (frozenset(self.sample.annotated_labels) - general) | here

    @functools.cached_property
    def picture(self) -> Picture:
        """The picture to look at.

        Raises:
            ValueError: the stored picture cannot be decoded or has another size than the sample says.
        """
        sample, image = self.sample, decoded(self.sample.image)
        if image.shape[:2] != (sample.height, sample.width):
            raise ValueError(f"the stored picture is {image.shape[1]} x {image.shape[0]}, the sample says {sample.width} x {sample.height}")
        return picture_of(image)

    @functools.cached_property
    def masks(self) -> dict[str, np.ndarray]:
        """Boolean masks (height, width) by anchor id."""
        return {anchor.anchor_id: decode_mask(anchor.mask_rle) for anchor in self.anchors}

    @functools.cached_property
    def fault(self) -> tuple[str, str] | None:
        """(kind, cause) why this image cannot be judged: picture unreadable, mask of another size; else None."""
        try:
            shape = self.picture.shape
        except ValueError as error:
            return "bad_image", str(error)
        for anchor_id, mask in self.masks.items():
            if mask.shape != shape:
                return "bad_mask", f"{anchor_id}: mask (height, width) {mask.shape}, picture {shape}"
        return None

    def siblings(self, anchor: Anchor) -> np.ndarray:
        """Union (height, width) of the masks of the other anchors of the label."""
        return self._union([other for other in self.anchors if other.label == anchor.label and other.anchor_id != anchor.anchor_id])

    def kin_of(self, anchor: Anchor) -> tuple[np.ndarray, list[list[float]]]:
        """Union of the masks, and the boxes, of all anchors that look like this one."""
        alike = [other for other in self.anchors if look_alike(anchor.label, other.label)]
        return self._union(alike), [other.box_xyxy_px for other in alike]

    def _union(self, anchors: list[Anchor]) -> np.ndarray:
        union = np.zeros((self.sample.height, self.sample.width), bool)
        for anchor in anchors:
            union |= self.masks[anchor.anchor_id]
        return union

    def targets(self, query: Query) -> list[Anchor]:
        """The query's target anchors, those that exist."""
        return [self.by_id[anchor_id] for anchor_id in query.anchor_ids if anchor_id in self.by_id]

    def parsed(self, query: Query) -> Parsed:
        """What the query's text says; parsed once."""
        return self.parsed_text(query.text)

    def parsed_text(self, text: str) -> Parsed:
        """What a text says of this image; parsed once."""
        if text not in self._parsed:
            self._parsed[text] = parse(text, self.sample.modality, self.sample.image_left_is)
        return self._parsed[text]


def look_alike(a: str, b: str) -> bool:
    """Whether a picture alone may not tell objects of two labels apart: kin, or two lesions, two findings, two devices."""
    first, second = label(a), label(b)
    return is_kin(a, b) or (first.kind == second.kind and first.kind in _ALIKE)


def is_kin(a: str, b: str) -> bool:
    """Whether two labels name the same kind of thing: one label, both halves of a pair, or one group."""
    first, second = label(a), label(b)
    alike = first.pair is not None and first.pair == second.pair
    grouped = bool({first.group, a} & {second.group, b} - {None})
    return a == b or alike or grouped
