"""What the checks of one image share: the scene, the parsed texts, the texts seen so far, the picture."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np

from stages.core.claims import Scene, Thresholds, scene_of
from stages.core.geometry import decode_mask
from stages.core.params import VerifyParams
from stages.core.records import Anchor, Query, Sample
from stages.knowledge.labels import members
from stages.knowledge.words import thresholds
from stages.verify.parser import Parsed, parse
from stages.verify.visibility import Visibility


@dataclass
class Context:
    """One image under verification.

    ``limits``: least visibility of a label beside ``verify.min_visibility``. ``texts``: first query of each normalised
    text; the cascade fills it in the order of the queries' ids.
    """

    sample: Sample
    anchors: list[Anchor]
    params: VerifyParams
    limits: dict[str, float] = field(default_factory=dict)
    texts: dict[str, Query] = field(default_factory=dict)
    _parsed: dict[str, Parsed] = field(default_factory=dict)
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
    def grey(self) -> np.ndarray:
        """The picture as grey levels 0-255, float32 of shape (height, width); colour by ITU-R BT.601 luma.

        Raises:
            ValueError: the stored picture cannot be decoded or has another size than the sample says.
        """
        import cv2

        sample = self.sample
        image = cv2.imdecode(np.frombuffer(sample.image, np.uint8), cv2.IMREAD_GRAYSCALE) if sample.image else None
        if image is None or image.shape != (sample.height, sample.width):
            found = "cannot be decoded" if image is None else f"is {image.shape[1]} x {image.shape[0]}"
            raise ValueError(f"the stored picture {found}, the sample says {sample.width} x {sample.height}")
        return image.astype(np.float32)

    @functools.cached_property
    def masks(self) -> dict[str, np.ndarray]:
        """Boolean masks (height, width) by anchor id."""
        return {anchor.anchor_id: decode_mask(anchor.mask_rle) for anchor in self.anchors}

    @functools.cached_property
    def fault(self) -> tuple[str, str] | None:
        """(kind, cause) why this image cannot be judged: picture unreadable, mask of another size; else None."""
        try:
            shape = self.grey.shape
        except ValueError as error:
            return "bad_image", str(error)
        for anchor_id, mask in self.masks.items():
            if mask.shape != shape:
                return "bad_mask", f"{anchor_id}: mask (height, width) {mask.shape}, picture {shape}"
        return None

    @functools.cached_property
    def label_masks(self) -> dict[str, np.ndarray]:
        """For each label, the boolean union (height, width) of its anchors' masks."""
        unions: dict[str, np.ndarray] = {}
        for anchor in self.anchors:
            union = unions.setdefault(anchor.label, np.zeros((self.sample.height, self.sample.width), bool))
            union |= self.masks[anchor.anchor_id]
        return unions

    def targets(self, query: Query) -> list[Anchor]:
        """The query's target anchors, those that exist."""
        return [self.by_id[anchor_id] for anchor_id in query.anchor_ids if anchor_id in self.by_id]

    def parsed(self, query: Query) -> Parsed:
        """What the query's text says; parsed once."""
        if query.text not in self._parsed:
            self._parsed[query.text] = parse(query.text, self.sample.modality, self.sample.image_left_is)
        return self._parsed[query.text]
