"""Medical pictures in memory, as scenes: their things are the anchors, named by class. Asked by class names alone.

Read from tables that earlier stages wrote (samples and anchors), fresh ones or those of a corpus' training patients.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stages.core.geometry import decode_mask
from stages.core.params import PretrainParams, read_yaml
from stages.core.records import Anchor, Example, Sample
from stages.core.shards import iter_table, read_table
from stages.core.stage import StageError, seed_for
from stages.vlm.pretrain.scenes import Scene, Thing

HELD_OUT_SHARE = 0.03
# Contrast to the surroundings, in grey levels, from which on a thing is called bright or dark.
CLEAR_CONTRAST = 14.0


@dataclass(frozen=True)
class Picture:
    """One medical picture as a scene. ``absent``: classes that the source would have marked and that are not there.

    ``uncounted``: classes with a mask that stands for several objects. ``may_flip``: no class of its data set has a side.
    """

    scene: Scene
    absent: tuple[str, ...]
    uncounted: frozenset[str]
    may_flip: bool


@dataclass(frozen=True)
class Pool:
    """Pictures to train on and held-out ones (other patients), by data set; ``labels`` are the classes, sorted."""

    training: dict[str, list[Picture]]
    held_out: dict[str, list[Picture]]
    labels: tuple[str, ...]


EMPTY = Pool({}, {}, ())


def read_pool(params: PretrainParams, image_processor: Any) -> Pool:
    """All pictures of ``pretrain.pictures``, of the training patients alone where ``patients_of`` names a corpus.

    Raises:
        StageError: no picture is there, or a sample's picture cannot be decoded.
    """
    if params.picture_share <= 0:
        return EMPTY
    allowed = training_patients(params.patients_of) if params.patients_of else None
    pool = Pool({}, {}, ())
    labels: set[str] = set()
    for folder in sorted((Path(params.pictures) / "data/samples").glob("*")):
        samples = read_table(folder / "samples", Sample)
        sided = any(item.label.split()[0] in ("left", "right") for sample in samples for item in sample.objects)
        anchors: dict[str, list[Anchor]] = {}
        for anchor in iter_table(Path(params.pictures) / "data/anchors" / folder.name / "anchors", Anchor):
            anchors.setdefault(anchor.sample_id, []).append(anchor)
        for sample in samples:
            if sample.sample_id not in anchors or (allowed is not None and sample.patient_id not in allowed):
                continue
            picture = to_picture(sample, anchors[sample.sample_id], image_processor, params.image_px, not sided)
            labels.update(thing.kind for thing in picture.scene.things)
            side = pool.held_out if seed_for(0, "held out", sample.patient_id) % 1000 < HELD_OUT_SHARE * 1000 else pool.training
            side.setdefault(folder.name, []).append(picture)
    if not pool.training:
        raise StageError(
            f"pretrain.pictures: no picture with objects below {params.pictures}/data; run `python -m stages.vlm.pretrain.pictures`, or set pretrain.picture_share to 0"
        )
    return Pool(pool.training, pool.held_out, tuple(sorted(labels)))


def training_patients(corpus: str) -> set[str]:
    """Patients of the split ``train`` of a corpus."""
    return {example.patient_id for example in iter_table(Path(corpus) / "examples", Example) if example.split == "train"}


def to_picture(sample: Sample, anchors: list[Anchor], image_processor: Any, side_px: int, may_flip: bool) -> Picture:
    """A sample and its anchors as a scene of ``side_px`` square: small things lie over large ones."""
    grey = cv2.imdecode(np.frombuffer(sample.image, np.uint8), cv2.IMREAD_COLOR)
    if grey is None:
        raise StageError(f"{sample.sample_id}: the picture cannot be decoded; run `python -m stages.vlm.pretrain.pictures` again")
    encoded = image_processor(np.ascontiguousarray(grey[:, :, ::-1]), return_tensors="np", input_data_format="channels_last")
    image = np.clip((encoded["pixel_values"][0, 0].transpose(1, 2, 0) * 0.5 + 0.5) * 255 + 0.5, 0, 255).astype(np.uint8)
    across, down = side_px / sample.width, side_px / sample.height
    owner = np.full((side_px, side_px), -1, np.int16)
    things = []
    for index, anchor in enumerate(sorted(anchors, key=lambda a: (-a.area_px, a.anchor_id))):
        mask = cv2.resize(decode_mask(anchor.mask_rle).astype(np.uint8), (side_px, side_px), interpolation=cv2.INTER_AREA)
        owner[mask > 0] = index
        things.append(_thing(anchor, across, down))
    present = {thing.kind for thing in things}
    absent = tuple(sorted(set(sample.annotated_labels) - present - {item.label for item in sample.objects}))
    return Picture(Scene(image, owner, things), absent, frozenset(a.label for a in anchors if a.crowd), may_flip)


def _thing(anchor: Anchor, across: float, down: float) -> Thing:
    x0, y0, x1, y1 = anchor.box_xyxy_px
    contrast = anchor.appearance.contrast or 0.0
    shade = "" if abs(contrast) < CLEAR_CONTRAST else ("bright" if contrast > 0 else "dark")
    return Thing(
        anchor.label,
        "",
        shade,
        "plain",
        anchor.appearance.mean,
        anchor.shape.elongation or 1.5,
        anchor.shape.solidity or 0.9,
        -1,
        (x0 * across, y0 * down, x1 * across, y1 * down),
        max(1, round(anchor.area_px * across * down)),
        (anchor.centroid_xy_px[0] * across, anchor.centroid_xy_px[1] * down),
    )


@functools.cache
def class_names() -> dict[str, dict[str, Any]]:
    """Names of classes, singular (``one``), plural (``many``) and of a pair."""
    content: dict[str, dict[str, Any]] = read_yaml(Path(__file__).parent / "class_names.yaml", "it is part of this repository: restore it")
    return content
