"""Pictures that were not ingested: a sample from what the lines say of it, and its objects from their boxes or masks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from stages.core.geometry import check_box, decode_mask, encode_mask, run_lengths, tight_box
from stages.core.records import Rle, Sample, SampleObject
from stages.core.stage import StageError
from stages.knowledge.labels import UnknownLabelError, canonical
from stages.verify.foreign.formats import to_px
from stages.verify.foreign.lines import Line
from stages.verify.parser import parse

# What the lines of one picture say of it, and must say alike.
_OF_PICTURE = ("modality", "image_left_is", "plane", "spacing_mm", "width", "height")


class NoLabelError(ValueError):
    """Nobody says what a box or a mask shows."""


def sample_of(lines: Sequence[Line], images: Path | None) -> Sample:
    """A sample of the picture's size, without objects.

    Raises:
        StageError: lines of the picture contradict each other, or the picture cannot be read.
    """
    first = lines[0]
    for name in _OF_PICTURE:
        unlike = next((line for line in lines if line.fields.get(name) != first.fields.get(name)), None)
        if unlike is not None:
            raise StageError(f"line {unlike.number}: lines of the picture {first.picture!r} differ in field {name!r}")
    content, width, height = _picture(first, images)
    marked = sorted({label for line in lines for label in line.fields.get("annotated_labels", [])})
    spacing = first.fields.get("spacing_mm")
    # Every picture counts as a patient of its own: none is judged by what it shows itself.
    return Sample(
        sample_id=first.picture, dataset="elsewhere", case_id=first.picture, patient_id=first.picture, modality=first.fields["modality"],
        body_part="", plane=first.fields.get("plane"), slice_index=None, image=content, width=width, height=height,
        spacing_mm=[float(side) for side in spacing] if spacing else None, image_left_is=first.fields.get("image_left_is"), transform="{}",
        objects=[], annotated_labels=marked, source_files=[], licence="", flags=[],
    )  # fmt: skip


def _picture(line: Line, images: Path | None) -> tuple[bytes, int, int]:
    """(PNG bytes, width, height) of a line's picture; no bytes where the line states the size alone."""
    if images is None:
        if not {"width", "height"} <= set(line.fields):
            raise StageError(f"line {line.number}: the size of {line.picture!r} is unknown; give --images FOLDER, or fields 'width' and 'height'")
        return b"", line.fields["width"], line.fields["height"]
    decoded = _read(line, line.picture, images, cv2.IMREAD_ANYCOLOR)
    for name, side in (("width", decoded.shape[1]), ("height", decoded.shape[0])):
        if line.fields.get(name, side) != side:
            raise StageError(f"line {line.number}: field {name!r} is {line.fields[name]}, the picture {line.picture!r} has {side}")
    return cv2.imencode(".png", decoded)[1].tobytes(), decoded.shape[1], decoded.shape[0]


def _read(line: Line, name: str, images: Path, flags: int) -> np.ndarray:
    path = images / name
    if not path.resolve().is_relative_to(images.resolve()) or not path.is_file():
        raise StageError(f"line {line.number}: no picture {name!r} in the folder {images}")
    decoded = cv2.imread(str(path), flags)
    if decoded is None:
        raise StageError(f"line {line.number}: {name!r} cannot be read as a picture; expected PNG, JPEG, BMP or TIFF")
    return decoded


def boxes_px(line: Line, width: int, height: int) -> list[list[float]]:
    """The line's boxes in pixels of the picture, [x0, y0, x1, y1].

    Raises:
        StageError: a box is empty, reversed or outside the picture.
    """
    name = line.fields.get("box_format", "xyxy_px")
    found = [to_px(box, name, width, height) for box in line.fields.get("boxes", [])]
    try:
        return [check_box(box, width, height, f"line {line.number}, box {number} ({name})") for number, box in enumerate(found)]
    except ValueError as error:
        raise StageError(str(error)) from error


def masks_of(line: Line, images: Path | None, width: int, height: int) -> list[np.ndarray]:
    """The line's masks, boolean (height, width).

    Raises:
        StageError: a mask cannot be read, is empty, or has another size than the picture.
    """
    found = []
    for number, given in enumerate(line.fields.get("masks", [])):
        where = f"line {line.number}, mask {number}"
        mask = _mask(line, given, images, where)
        if mask.shape != (height, width):
            raise StageError(f"{where}: {mask.shape[1]} x {mask.shape[0]} pixels, the picture has {width} x {height}")
        if not mask.any():
            raise StageError(f"{where}: the mask is empty")
        found.append(mask)
    return found


def _mask(line: Line, given: str | dict[str, object], images: Path | None, where: str) -> np.ndarray:
    if isinstance(given, str):
        if images is None:
            raise StageError(f"{where}: {given!r} is a file; give --images FOLDER")
        decoded = _read(line, given, images, cv2.IMREAD_UNCHANGED)
        return np.asarray((decoded if decoded.ndim == 2 else decoded[..., :3].any(axis=-1)) > 0)
    rle = Rle(**given)  # type: ignore[arg-type]
    try:
        run_lengths(rle)
    except ValueError as error:
        raise StageError(f"{where}: {error}") from error
    return decode_mask(rle)


def labels_of(line: Line, count: int) -> list[str]:
    """Canonical labels of the line's ``count`` boxes or masks: as it says, else the one label that its text names.

    Raises:
        StageError: a name is no label.
        NoLabelError: there is none, and the text names no single one.
    """
    try:
        given = [canonical(name).name for name in line.labels(count)]
    except UnknownLabelError as error:
        raise StageError(f"line {line.number}: field 'label': {error}") from error
    if given or not count:
        return given
    parsed = parse(line.fields["text"], line.fields["modality"], line.fields.get("image_left_is"))
    named = [claim.value for claim in parsed.claims if claim.kind == "label"]
    if len(named) != 1 or "|" in named[0]:
        several = f"it may mean {named[0].replace('|', ', ')}" if named else "it names none that is known"
        raise NoLabelError(f"field 'label' is missing, and the text names no single label: {several:.200}")
    return named * count


def with_masks(sample: Sample, lines: Sequence[Line], images: Path | None) -> Sample:
    """The sample with all objects of its lines; the same mask of the same label is one object."""
    objects: dict[tuple[str, str], SampleObject] = {}
    for line in lines:
        masks = masks_of(line, images, sample.width, sample.height)
        for label, mask in zip(labels_of(line, len(masks)), masks, strict=True):
            rle = encode_mask(mask)
            instance = sum(found.label == label for found in objects.values())
            objects.setdefault((label, rle.counts), SampleObject(label, label, instance, False, rle))
    return dataclasses.replace(sample, objects=list(objects.values()))


def target_boxes(line: Line, images: Path | None, width: int, height: int) -> list[list[float]]:
    """Boxes of what the line says it is about, of its boxes or of its masks."""
    if "masks" in line.fields:
        return [tight_box(mask) for mask in masks_of(line, images, width, height)]
    return boxes_px(line, width, height)
