"""From a reader's pictures to rows of the samples table."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from stages.core.duplicates import perceptual_hash
from stages.core.params import IngestParams
from stages.core.records import ItemError, Sample, SampleObject, SourceFile
from stages.ingest.card import Card
from stages.ingest.cases import Case, empty_policy
from stages.ingest.faults import Fault
from stages.ingest.holes import filled_holes
from stages.ingest.objects import ObjectMask
from stages.ingest.pictures import png_bytes, resize_pixels, scale_of
from stages.ingest.privacy import keyed_hash, require_same_key
from stages.ingest.quality import EMPTY_DROPPED, EMPTY_KEPT, HOLE_FILLED, NOTHING_LEFT, SMALL, frame_flags, sieve
from stages.ingest.readers import READERS
from stages.ingest.readers.base import Picture, Source


@dataclass(frozen=True)
class CaseResult:
    """What became of one case. ``lost`` are errors that cost a picture, ``partial`` those that cost a mask.

    ``hashes`` are the perceptual hashes of the samples, in their order.
    """

    samples: list[Sample]
    lost: list[ItemError]
    partial: list[ItemError]
    flags: Counter[str]
    dropped: Counter[str] = field(default_factory=Counter)
    hashes: list[int] = field(default_factory=list)


def ingest_case(job: tuple[Case, Source]) -> CaseResult:
    """Read one case and build its samples; faults come back as values."""
    case, source = job
    require_same_key(source.key)
    owner = f"{source.card.name}/{case.case_id}"
    if not case.masks and empty_policy(case, source.card) == "drop":
        return CaseResult([], [], [], Counter({EMPTY_DROPPED: 1}))
    try:
        reading = READERS[source.card.reader].read(case, source)
    except Fault as fault:
        return CaseResult([], [fault.as_error(owner)], [], Counter())
    files = _hashed(case, source.root)
    partial = [fault.as_error(owner) for fault in reading.faults]
    result = CaseResult([], [], partial, Counter(), reading.dropped)
    for picture in reading.pictures:
        try:
            stored = _stored(picture, source.limits)
            sample, counts = make_sample(case, picture, stored, source.card, source.limits, files)
        except Fault as fault:
            result.lost.append(fault.as_error(f"{owner}/{picture.view}"))
            continue
        result.flags.update(counts)
        if sample is not None:
            result.samples.append(sample)
            result.hashes.append(perceptual_hash(stored.pixels))
    return result


@dataclass(frozen=True)
class Stored:
    """The pixels of a picture as its row has them, scaled down to ``max_side_px`` where it is larger; ``size`` is (width, height)."""

    pixels: np.ndarray
    size: tuple[int, int]
    scaled: bool


def make_sample(case: Case, picture: Picture, stored: Stored, card: Card, limits: IngestParams, files: list[SourceFile]) -> tuple[Sample | None, Counter[str]]:
    """One row, and what is counted of it; None when it is left out on purpose.

    Raises:
        Fault: no object of ``min_object_px`` pixels is left.
    """
    policy = empty_policy(case, card)
    if not picture.objects and policy == "drop":
        return None, Counter({EMPTY_DROPPED: 1})
    height, width = picture.pixels.shape[:2]
    size, scaled = stored.size, stored.scaled
    masks = [item.resized((height, width), size) if scaled else item for item in picture.objects]
    sieved = sieve(masks, (size[1], size[0]), limits)
    if masks and not sieved.kept and sieved.dropped.keys() - {SMALL}:
        return None, sieved.dropped + Counter({NOTHING_LEFT: 1})
    if not sieved.kept and (masks or policy == "fault"):
        if not masks:
            field = "empty_images" if case.masks else "unmasked_images"
            raise Fault("no_object", case.image, f"nothing is marked here: `{field}: keep` if the source annotates completely, else `drop`")
        cause = f"none of its {len(masks)} objects has ingest.min_object_px = {limits.min_object_px} pixels at {size[0]} x {size[1]}"
        raise Fault("no_object", case.image, f"{cause}: lower it, or take the picture out")
    transform = dict(picture.transform, scale_xy=[size[0] / width, size[1] / height]) if scaled else picture.transform
    found = {HOLE_FILLED: filled_holes(sieved.kept), "scaled_down": scaled, EMPTY_KEPT: not masks}
    own = [*picture.flags, *frame_flags(sieved.kept, (size[1], size[0])), *(flag for flag, applies in found.items() if applies)]
    sample = Sample(
        sample_id=f"{card.name}/{case.case_id}/{picture.view}",
        dataset=card.name,
        case_id=case.case_id,
        patient_id=patient_id(card, case.patient),
        modality=card.modality,
        body_part=card.body_part,
        plane=picture.plane,
        slice_index=picture.slice_index,
        image=picture.png if picture.png and not scaled else png_bytes(stored.pixels),
        width=size[0],
        height=size[1],
        spacing_mm=_scaled_spacing(picture.spacing_mm, height / size[1], width / size[0]),
        image_left_is=picture.image_left_is,
        midline_in_view=card.midline_in_view,
        transform=json.dumps(transform, sort_keys=True),
        objects=_numbered(sieved.kept, (size[1], size[0])),
        annotated_labels=sorted(set(card.annotated_labels) - set(picture.incomplete) - sieved.labels),
        source_files=files,
        licence=case.licence,
        flags=sorted({*own, *sieved.dropped}),
        source_split=case.split,
    )
    return sample, Counter(set(own)) + sieved.dropped


def _stored(picture: Picture, limits: IngestParams) -> Stored:
    height, width = picture.pixels.shape[:2]
    size = scale_of(width, height, limits.max_side_px)
    scaled = size != (width, height)
    return Stored(resize_pixels(picture.pixels, size) if scaled else picture.pixels, size, scaled)


def patient_id(card: Card, patient: str) -> str:
    """Patient of a dataset. Real ones become keyed hashes (``privacy``), so that no identifier of a source travels on."""
    name = keyed_hash("patient", card.name, patient) if card.hash_patients else patient
    return f"{card.name}/{name}"


def _scaled_spacing(spacing_mm: list[float] | None, rows: float, columns: float) -> list[float] | None:
    return None if spacing_mm is None else [spacing_mm[0] * rows, spacing_mm[1] * columns]


def _numbered(objects: list[ObjectMask], shape: tuple[int, int]) -> list[SampleObject]:
    """Objects of a picture of ``shape`` (height, width) as records, numbered from 0 within their label."""
    seen: Counter[str] = Counter()
    records = []
    for item in objects:
        records.append(SampleObject(item.label, item.source, seen[item.label], item.semantic, item.encoded(shape), item.crowd))
        seen[item.label] += 1
    return records


def _hashed(case: Case, root: Path) -> list[SourceFile]:
    """SHA-256 of the files that a case was made from; a file that could not be read is in the errors table instead."""
    masks = {mask.path for mask in case.masks if mask.fault is None and (root / case.path_of(mask.path)).is_file()}
    names = sorted({case.image, *case.files, *masks})
    return [SourceFile(name, _sha256(root / case.path_of(name))) for name in names]


def _sha256(path: Path) -> str:
    state = path.stat()
    return _digest(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=256)
def _digest(path: Path, mtime_ns: int, size: int) -> str:
    """Digest of a file in one state; kept, since one annotation file may serve every case of a set."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
