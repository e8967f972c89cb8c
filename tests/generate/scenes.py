"""Scenes fabricated without pictures: discs and ellipses with the attributes that the claim language reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hypothesis import strategies as st

from stages.core.claims import Scene, scene_of
from stages.core.records import Anchor, Appearance, Location, Ranks, Relation, Rle, Sample, Shape
from stages.knowledge.labels import label

STYLE_SHARES = {"phrase": 0.4, "report": 0.15, "question": 0.2, "instruction": 0.25}


@dataclass(frozen=True)
class Blob:
    """An object of a fabricated scene: place and radius in pixels of a 200 x 200 picture."""

    label: str
    x: float
    y: float
    radius: float
    elongation: float = 1.5
    solidity: float = 0.95
    mean: float = 120.0
    contrast: float = 0.0


def make_sample(sample_id: str = "made/c0/v0", **changes) -> Sample:
    """A sample of 200 x 200 pixels without picture or masks."""
    fields = {
        "dataset": "made", "case_id": "c0", "patient_id": "p0", "modality": "CT", "body_part": "abdomen", "plane": "axial",
        "slice_index": 0, "image": b"", "width": 200, "height": 200, "spacing_mm": [1.0, 1.0],
        "image_left_is": "patient_right", "transform": "{}", "objects": [], "annotated_labels": [], "source_files": [],
        "licence": "CC0", "flags": [],
    }  # fmt: skip
    return Sample(sample_id=sample_id, **{**fields, **changes})


def make_anchor(blob: Blob, number: int, sample: Sample, others: list[Blob]) -> Anchor:
    """The anchor of a blob; inside and touching are measured on circles."""
    low, high = (blob.x - blob.radius, blob.y - blob.radius), (blob.x + blob.radius, blob.y + blob.radius)
    box = [*(max(0.0, value) for value in low), *(min(200.0, value) for value in high)]
    contact = {"left": box[0] <= 0, "top": box[1] <= 0, "right": box[2] >= 200, "bottom": box[3] >= 200}
    touches = [edge for edge, touched in contact.items() if touched]
    area = max(12, round(math.pi * blob.radius**2))
    return Anchor(
        anchor_id=f"{sample.sample_id}#{number}", sample_id=sample.sample_id, label=blob.label, kind=label(blob.label).kind,
        instance=number, box_xyxy_px=box, area_px=area, area_mm2=float(area) if sample.spacing_mm else None,
        length_mm=2 * blob.radius if sample.spacing_mm else None, centroid_xy_px=[blob.x, blob.y], fraction_of_image=area / 40000,
        shape=Shape(2 * blob.radius, 2 * blob.radius, 2 * blob.radius, None, blob.elongation, None, blob.solidity, None),
        appearance=Appearance(blob.mean, 5.0, blob.mean - blob.contrast, 5.0, blob.contrast, None),
        location=Location("centre", "middle", "central", None, touches), ranks=Ranks(1, 1, 1, 1),
        relations=_relations(blob, number, sample, others), mask_rle=Rle([0, 0], ""),
    )  # fmt: skip


def _relations(blob: Blob, number: int, sample: Sample, others: list[Blob]) -> list[Relation]:
    relations = []
    for place, other in enumerate(others):
        if place == number:
            continue
        gap = math.hypot(blob.x - other.x, blob.y - other.y) - blob.radius - other.radius
        offset = (other.x - blob.x) / 200, (other.y - blob.y) / 200, (blob.radius / other.radius) ** 2
        if gap <= -2 * blob.radius and other.radius > blob.radius:
            relations.append(Relation("inside", f"{sample.sample_id}#{place}", 0.0, 1.0, *offset))
        elif -2 <= gap <= 3:
            relations.append(Relation("touching", f"{sample.sample_id}#{place}", max(0.0, gap), 0.0, *offset))
    return relations


def make_scene(blobs: list[Blob], **changes) -> Scene:
    """The scene of some blobs; every label that occurs counts as marked completely unless told."""
    changes.setdefault("annotated_labels", sorted({blob.label for blob in blobs}))
    sample = make_sample(**changes)
    return scene_of(sample, [make_anchor(blob, number, sample, blobs) for number, blob in enumerate(blobs)])


_LABELS = {
    "CT": ["liver", "spleen", "left kidney", "right kidney", "liver lesion", "liver lesion", "liver lesion", "aorta"],
    "MR": ["anterior hippocampus", "posterior hippocampus"],
    "X-ray": ["left lung", "right lung", "heart", "lung opacity", "lung opacity", "consolidation", "central venous line"],
    "ultrasound": ["nerve", "nerve", "vessel", "vessel"],
    "microscopy": ["cell nucleus", "cell nucleus", "white blood cell", "white blood cell nucleus", "white blood cell cytoplasm"],
    "endoscopy": ["polyp", "polyp"],
    "dermoscopy": ["skin lesion"],
}
_ABSENT = {"CT": ["stomach"], "X-ray": ["endotracheal tube", "pneumothorax"], "microscopy": ["white blood cell"]}


@st.composite
def scenes(draw) -> Scene:
    """Random scenes of every modality, with and without orientation and spacing, none to ten objects."""
    modality = draw(st.sampled_from(sorted(_LABELS)))
    blobs = draw(st.lists(_blobs(modality), max_size=10))
    seen: set[str] = set()
    kept = [blob for blob in blobs if label(blob.label).several or not (blob.label in seen or seen.add(blob.label))]
    return make_scene(
        kept,
        sample_id=f"made/c{draw(st.integers(0, 10**6))}/v0",
        modality=modality,
        image_left_is=draw(st.sampled_from(["patient_right", "patient_left", None])),
        spacing_mm=draw(st.sampled_from([[1.0, 1.0], None])),
        annotated_labels=sorted({*_LABELS[modality], *_ABSENT.get(modality, [])}),
    )


def _blobs(modality: str) -> st.SearchStrategy[Blob]:
    places = st.floats(5, 195)
    return st.builds(
        Blob,
        label=st.sampled_from(_LABELS[modality]),
        x=places,
        y=places,
        radius=st.floats(2, 60),
        elongation=st.floats(1, 3),
        solidity=st.floats(0.6, 1),
        mean=st.floats(0, 255),
        contrast=st.floats(-60, 60),
    )
