"""COCO JSON: ``images``, ``annotations`` and ``categories`` in one file, or in several.

``files.mask`` are the annotation files; an image is tied by its ``file_name`` (a path, its end, or the plain name). Parts
that both patterns carry must agree, so that ``train/0001.jpg`` and ``val/0001.jpg`` stay apart. Sources in the card are
category names:

    reader: coco_json
    files:
      image: ["{split:train|valid}/{case}.jpg"]
      mask: ["{split:train|valid}/_annotations.coco.json"]
      other: []
    labels: {polyp: {sources: [Polyp, polyp], semantic: false}}
    ignored_sources: [objects]
    official_split: {train: [train], val: [valid]}
    empty_images: keep         # images that the file lists without an annotation
    unmasked_images: fault     # images that no file lists

Segmentations: polygons (several of one annotation unite), run lengths as lists or compressed. ``iscrowd`` is kept as the
object's ``crowd``. An annotation with a box alone is a fault: boxes come from masks here. Coordinates are COCO's: whole
numbers are pixel edges (``polygons: {pixel_centre: 0.0}`` where a converter took contour points of pixel centres).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stages.ingest.blocks import Polygons
from stages.ingest.card import Card
from stages.ingest.cases import Case, Found, sort_files
from stages.ingest.faults import Fault
from stages.ingest.gates import read_content
from stages.ingest.objects import ObjectMask, unite
from stages.ingest.pictures import read_picture
from stages.ingest.readers.base import Reading, Source
from stages.ingest.readers.pictured import Drawing, Patch, patch_of_rings, read_drawings
from stages.ingest.readers.shared_annotations import ImageNames, MarkedCase, Marks, cases_with, file_error
from stages.ingest.run_lengths import RunLengthError, counts_of_text, crop_of_counts


@dataclass(frozen=True)
class Annotation:
    """One annotation: its category's name, the segmentation as it stands in the file, and what a fault calls it."""

    source: str
    segmentation: Any
    crowd: bool
    file: str
    name: str


class CocoJson:
    """Annotation files by ``files.mask``; the module's head shows the card."""

    def find(self, card: Card, root: Path) -> Found:
        """Images by the ``file_name`` of the annotation files."""
        files = sort_files(card, root)
        names, marks, errors = ImageNames(files), {}, []
        for path, parts in files.masks.items():
            try:
                content = read_json(root, path)
                by_image = _annotations(content, path)
            except Fault as fault:
                errors.append(file_error(card, fault))
                continue
            for file_name, drawn in by_image:
                try:
                    mine = marks.setdefault(names.find(file_name, parts, path), Marks())
                except Fault as fault:
                    errors.append(file_error(card, fault, file_name))
                    continue
                mine.files.add(path)
                mine.records += drawn
        return cases_with(card, root, files, marks, errors)

    def read(self, case: Case, source: Source) -> Reading:
        """Decode the picture and draw its annotations."""
        assert isinstance(case, MarkedCase)
        shown = read_picture(source.root, case.image, source.card, source.limits.max_pixels)
        centre = (source.card.polygons or Polygons()).pixel_centre
        return read_drawings(case, source, shown, [Drawing(a.source, a.file, partial(_draw, a, centre), a.crowd) for a in case.records])


def read_json(root: Path, path: str) -> Any:
    """Content of a JSON file below the root.

    Raises:
        Fault: missing, empty, or no JSON.
    """
    try:
        return json.loads(read_content(root / path, path))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Fault("bad_annotations", path, f"no valid JSON ({error}): truncated or of another format; fetch it again") from error


def _annotations(content: Any, path: str) -> list[tuple[str, list[Annotation]]]:
    """``file_name`` and annotations of every listed image, in the order of the file.

    Raises:
        Fault: the file has another layout, or an annotation names an image or a category that it does not list.
    """
    tables = [_rows(content, key, path) for key in ("images", "annotations", "categories")]
    images = {_field(row, "id", f"images[{n}]", path): str(_field(row, "file_name", f"images[{n}]", path)) for n, row in enumerate(tables[0])}
    if len(images) < len(tables[0]):
        raise Fault("bad_annotations", path, "two entries of `images` have one id: the annotations cannot be told apart; mend the ids")
    categories = {_field(row, "id", f"categories[{n}]", path): str(_field(row, "name", f"categories[{n}]", path)) for n, row in enumerate(tables[2])}
    found: dict[Any, list[Annotation]] = {image: [] for image in images}
    for number, row in enumerate(tables[1]):
        name = f"annotations[{number}] (id {row.get('id')})"
        image, category = _field(row, "image_id", name, path), _field(row, "category_id", name, path)
        if image not in images or category not in categories:
            missing = f"image_id {image!r}" if image not in images else f"category_id {category!r}"
            raise Fault("bad_annotations", path, f"{name} has the {missing}, which the file does not list: mend the file")
        found[image].append(Annotation(categories[category], row.get("segmentation"), bool(row.get("iscrowd", 0)), path, name))
    return [(images[image], annotations) for image, annotations in found.items()]


def _rows(content: Any, key: str, path: str) -> list[dict[str, Any]]:
    rows = content.get(key) if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Fault("bad_annotations", path, f"COCO needs a list of objects under {key!r}: this is another format, or a part of the file is missing")
    return rows


def _field(row: dict[str, Any], key: str, name: str, path: str) -> Any:
    if not isinstance(row.get(key), (int, str)):
        raise Fault("bad_annotations", path, f"{name} has no usable {key!r} ({row.get(key)!r}): mend the file")
    return row[key]


def _draw(annotation: Annotation, pixel_centre: float, shape: tuple[int, int]) -> Patch:
    """Pixels of a segmentation for an image of ``shape`` (height, width)."""
    segmentation = annotation.segmentation
    if isinstance(segmentation, dict):
        return _from_runs(segmentation, annotation, shape)
    if isinstance(segmentation, list) and segmentation:
        return _from_polygons(segmentation, annotation, pixel_centre, shape)
    cause = f"{annotation.name} has no segmentation: objects need masks, a box alone is not enough; draw it, or take it out"
    raise Fault("bad_polygon", annotation.file, cause)


def _from_polygons(polygons: list[Any], annotation: Annotation, pixel_centre: float, shape: tuple[int, int]) -> Patch:
    patches = []
    for number, flat in enumerate(polygons):
        try:
            points = np.array(flat, float)
        except (TypeError, ValueError):
            points = np.zeros(1)
        if points.ndim != 1 or points.size % 2:
            cause = f"{annotation.name}, polygon {number}: expected a flat list of x, y in turn; mend the file"
            raise Fault("bad_polygon", annotation.file, cause)
        patches.append(patch_of_rings([points.reshape(-1, 2)], shape, pixel_centre, annotation.file, f"{annotation.name}, polygon {number}"))
    whole = unite([ObjectMask("", "", False, patch.mask, corner=patch.corner) for patch in patches])
    return replace(patches[0], mask=whole.mask, corner=whole.corner, flags=sorted({flag for patch in patches for flag in patch.flags}))


def _from_runs(code: dict[str, Any], annotation: Annotation, shape: tuple[int, int]) -> Patch:
    if list(code.get("size") or []) != list(shape):
        cause = f"{annotation.name}: run lengths of size {code.get('size')} against image {list(shape)} (height, width): mend the file"
        raise Fault("mask_size", annotation.file, cause)
    try:
        counts = code.get("counts")
        numbers = counts_of_text(counts) if isinstance(counts, str) else np.array(counts, np.int64)
        if numbers.ndim == 1 and not numbers[1::2].any():
            raise Fault("empty_mask", annotation.file, f"{annotation.name} marks no pixel: mend it, or take it out")
        return Patch(*crop_of_counts(numbers, shape))
    except (RunLengthError, TypeError, ValueError, OverflowError, IndexError) as error:
        raise Fault("bad_runs", annotation.file, f"{annotation.name}: {error}; mend the file") from error
