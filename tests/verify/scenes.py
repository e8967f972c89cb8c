"""A small CT slice with exact objects, and queries about it."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np

from stages.anchor.derive import derive
from stages.core.claims import Claim
from stages.core.geometry import encode_mask
from stages.core.params import VerifyParams
from stages.core.records import Anchor, Query, Sample, SampleObject, Writer
from stages.verify.cascade import Judged, judge
from stages.verify.context import Context
from tests.anchor.scenes import PARAMS as ANCHOR_PARAMS

PARAMS = VerifyParams(max_error_rate=0.01, max_words=40, min_words=1, min_visibility=0.15, near_duplicate=0.97, judges=["evidence"], combine="all", votes=1, picture_px=256)
SIZE = 192
# label: (centre x, centre y, half axis x, half axis y, grey level), drawn in this order
LAYOUT = {
    "liver": [(58, 84, 44, 52, 120)],
    "spleen": [(158, 80, 18, 30, 130)],
    "left kidney": [(140, 136, 14, 20, 160)],
    "right kidney": [(52, 158, 13, 18, 160)],
    "aorta": [(104, 134, 9, 9, 190)],
    "liver lesion": [(40, 60, 11, 11, 70), (72, 74, 7, 7, 72), (44, 108, 5, 15, 74)],
}
WRITER = Writer("test", "none", "0", "0", 0)


@functools.cache
def sample(image_left_is: str | None = "patient_right", modality: str = "CT", spacing: bool = True) -> Sample:
    """The slice: liver with three lesions (large, middle, elongated), spleen, kidneys, aorta, on a noisy background."""
    rng = np.random.default_rng(3)
    image = np.full((SIZE, SIZE), 40.0)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    objects = []
    for label, blobs in LAYOUT.items():
        for number, (x, y, a, b, grey) in enumerate(blobs):
            mask = ((columns + 0.5 - x) / a) ** 2 + ((rows + 0.5 - y) / b) ** 2 <= 1
            image[mask] = grey
            objects.append(SampleObject(label, label, number, False, encode_mask(mask)))
    noisy = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    return Sample(
        sample_id="set/case/axial-1", dataset="set", case_id="case", patient_id="p", modality=modality, body_part="abdomen",
        plane="axial", slice_index=1, image=cv2.imencode(".png", noisy)[1].tobytes(), width=SIZE, height=SIZE,
        spacing_mm=[1.0, 1.0] if spacing else None, image_left_is=image_left_is, transform="{}", objects=objects,
        annotated_labels=sorted(LAYOUT), source_files=[], licence="CC0-1.0", flags=[],
    )  # fmt: skip


@functools.cache
def _anchors(of: str) -> list[Anchor]:
    return derive(sample(), ANCHOR_PARAMS).anchors


def anchors() -> list[Anchor]:
    """Anchors of the slice: liver 0, spleen 1, left kidney 2, right kidney 3, aorta 4, lesions 5 (large), 6, 7 (elongated)."""
    return list(_anchors("slice"))


def context(**changes: object) -> Context:
    """Context of the slice; ``changes`` go to the sample."""
    return Context(dataclasses.replace(sample(), **changes), anchors(), PARAMS)  # type: ignore[arg-type]


def query(text: str, *targets: int, kind: str | None = None, claims: list[Claim] | None = None, query_id: str = "q~0") -> Query:
    """A query for the anchors of the given numbers."""
    ids = [f"set/case/axial-1#{number}" for number in targets]
    kind = kind or {0: "none", 1: "single"}.get(len(ids), "multi")
    written = None if claims is None else [claim.to_json() for claim in claims]
    label = anchors()[targets[0]].label if targets else "liver lesion"
    return Query(query_id, "set/case/axial-1", ids, text, label, kind, written, "phrase", WRITER)


def outcome(text: str, *targets: int, in_context: Context | None = None, **more: object) -> Judged:
    """The cascade's judgement of one query about the slice."""
    return judge(query(text, *targets, **more), in_context or context())  # type: ignore[arg-type]
