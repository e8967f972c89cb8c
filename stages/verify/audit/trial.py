"""A row of the audit's tables: one judged query, with everything that is needed to look at it again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from stages.core.records import Query, Rle, Sample
from stages.verify.audit.plant import Plant
from stages.verify.cascade import ACCEPTED, Judged
from stages.verify.picture import decoded

CLEAN = "clean"
TUNING, HELDOUT = "tuning", "heldout"


@dataclass(frozen=True)
class Laid:
    """What a plant made of an anchor: its box (``box_xyxy_px``) and mask."""

    anchor_id: str
    box_xyxy_px: list[float]
    mask_rle: Rle


@dataclass(frozen=True)
class Patch:
    """The part of the picture that a plant changed: its upper left pixel and its new content as PNG."""

    x_px: int
    y_px: int
    png: bytes


@dataclass(frozen=True)
class Trial:
    """One judged query of the audit. ``fault`` is "clean" for an untouched one.

    ``half``: which half of the patients this one belongs to (``half_of``). ``text`` and ``target_ids`` are what was judged,
    ``before`` what the cascade was shown before it. ``changed`` names the plant, ``laid`` and ``patch`` hold what it did to anchors and to
    the picture. ``check`` is the check that decided (the last one for an accepted query), with its reason, margin and
    evidence; ``answered`` is false where a model that judges gave no answer.
    """

    trial_id: str
    fault: str
    group: str
    dataset: str
    modality: str
    sample_id: str
    half: str
    query_id: str
    text: str
    target_ids: list[str]
    before: list[str]
    changed: str
    laid: list[Laid]
    patch: Patch | None
    fate: str
    check: str
    reason: str
    margin: float | None
    evidence: str
    answered: bool = True

    @property
    def accepted(self) -> bool:
        """Whether the cascade let it through."""
        return self.fate == ACCEPTED


def half_of(fold: int) -> str:
    """The half of its set that a patient of a fold (``norms.deal``) belongs to: constants are chosen on ``TUNING`` alone."""
    return (TUNING, HELDOUT)[fold % 2]


def trial_of(judged: Judged, fault: str, group: str, query: Query, sample: Sample, plant: Plant | None, half: str) -> Trial:
    """The row of a judged query; ``query`` and ``sample`` are the untouched ones, ``plant`` what was done to them (None: nothing)."""
    deciding = judged.deciding
    laid = [Laid(anchor.anchor_id, list(anchor.box_xyxy_px), anchor.mask_rle) for anchor in plant.anchors] if plant else []
    return Trial(
        trial_id=f"{query.query_id}/{fault}", fault=fault, group=group, dataset=judged.dataset, modality=judged.modality,
        sample_id=sample.sample_id, half=half, query_id=query.query_id, text=judged.query.text,
        target_ids=list(judged.query.anchor_ids), before=[earlier.text for earlier in plant.before] if plant else [],
        changed=plant.changed if plant else "", laid=laid, patch=patch_of(sample, plant.sample) if plant and plant.sample else None,
        fate=judged.fate, check=deciding.check, reason=deciding.reason, margin=deciding.margin, evidence=deciding.evidence,
        answered=deciding.reason != "no_answer",
    )  # fmt: skip


def patch_of(before: Sample, after: Sample) -> Patch | None:
    """Where the pictures of two samples (same size, same channels) differ, as a patch of the second; None where they do not."""
    old, new = (decoded(sample.image) for sample in (before, after))
    where = old != new if old.ndim == 2 else (old != new).any(axis=2)
    if not where.any():
        return None
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    part = new[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Patch(int(columns[0]), int(rows[0]), cv2.imencode(".png", part)[1].tobytes())


def patched(sample: Sample, patch: Patch) -> Sample:
    """The sample with the patch in its picture."""
    image = decoded(sample.image)
    part = decoded(patch.png)
    image[patch.y_px : patch.y_px + part.shape[0], patch.x_px : patch.x_px + part.shape[1]] = part
    return dataclasses.replace(sample, image=cv2.imencode(".png", image)[1].tobytes())
