"""LabelMe JSON: one file a picture, with shapes of type polygon, rectangle, circle or mask.

A JSON file goes with the picture whose path has the same parts ({case}); else with the one that its ``imagePath`` names.
Sources in the card are the shapes' labels. Shapes with one label and one ``group_id`` are parts of one object. Lines and
points enclose nothing: a fault, unless their label is under ``ignored_sources``:

    reader: labelme_json
    files: {image: ["{case}.jpg"], mask: ["{case}.json"], other: []}
    labels: {gallbladder: {sources: [gallbladder, gall_bladder], semantic: false}}
    labelme: {image_data: true}     # a picture that is missing as a file may come from the copy in the JSON

Coordinates are pixel edges (``polygons: {pixel_centre: 0.5}``, when left out).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from stages.core.records import ItemError
from stages.ingest.blocks import LabelMe, Polygons
from stages.ingest.card import Card
from stages.ingest.cases import Case, Found, Sorted, key_of, shared_names, sort_files
from stages.ingest.faults import Fault
from stages.ingest.objects import ObjectMask, unite
from stages.ingest.patterns import inside_root
from stages.ingest.pictures import Shown, decode, read_picture, shown_picture
from stages.ingest.polygons import circle, rectangle
from stages.ingest.readers.base import Reading, Source
from stages.ingest.readers.coco_json import read_json
from stages.ingest.readers.pictured import Drawing, Patch, patch_of_rings, read_drawings
from stages.ingest.readers.shared_annotations import Marks, cases_with, file_error

_POINTS = {"polygon": 3, "rectangle": 2, "circle": 2, "mask": 2}


class LabelMeJson:
    """JSON files by ``files.mask``; the module's head shows the card."""

    def find(self, card: Card, root: Path) -> Found:
        """Pictures by equal parts of the paths, else by ``imagePath``."""
        files = sort_files(card, root)
        shared = shared_names(files.images, files.masks)
        by_key: dict[tuple[str, ...], list[str]] = {}
        for path, parts in files.images.items():
            by_key.setdefault(key_of(parts, shared), []).append(path)
        marks: dict[str, Marks] = {}
        embedded: dict[str, dict[str, str]] = {}
        errors: list[ItemError] = []
        for path, parts in files.masks.items():
            try:
                images = by_key.get(key_of(parts, shared)) or _by_image_path(path, parts, files, card, root)
            except Fault as fault:
                errors.append(file_error(card, fault))
                continue
            for image in images:
                embedded |= {image: parts} if image not in files.images else {}
                marks.setdefault(image, Marks()).files.add(path)
        files = replace(files, images=files.images | embedded)
        return cases_with(card, root, files, marks, errors)

    def read(self, case: Case, source: Source) -> Reading:
        """Decode the picture and draw its shapes."""
        contents = {mask.path: read_json(source.root, mask.path) for mask in case.masks}
        shown = _embedded(contents, case, source) if case.image in contents else _file(case, source)
        centre = (source.card.polygons or Polygons()).pixel_centre
        drawings: list[Drawing] = []
        for path, content in contents.items():
            _require_size(content, shown.pixels.shape, path)
            drawings += _drawings(content, path, centre, source)
        return read_drawings(case, source, shown, drawings)


def _file(case: Case, source: Source) -> Shown:
    return read_picture(source.root, case.image, source.card, source.limits.max_pixels)


def _by_image_path(path: str, parts: dict[str, str], files: Sorted, card: Card, root: Path) -> list[str]:
    """The picture that a JSON file names, or the file itself where the card allows its embedded copy."""
    content = read_json(root, path)
    named = str(content.get("imagePath") or "") if isinstance(content, dict) else ""
    candidate = (PurePosixPath(path).parent / named.replace("\\", "/")).as_posix() if named else ""
    if candidate in files.images:
        return [candidate]
    if (card.labelme or LabelMe()).image_data and isinstance(content, dict) and content.get("imageData") and "case" in parts:
        return [path]
    if named and not inside_root(candidate):
        raise Fault("unsafe_path", path, f"its imagePath {named!r} leaves the dataset's root and is refused: put the picture beside it")
    cause = f"its picture {named!r} is not there: fetch it, or set labelme: {{image_data: true}} where the JSON holds a copy"
    raise Fault("mask_without_image", path, cause)


def _embedded(contents: dict[str, Any], case: Case, source: Source) -> Shown:
    """The picture inside the JSON file."""
    try:
        content = base64.b64decode(contents[case.image]["imageData"], validate=True)
    except (binascii.Error, TypeError, ValueError, KeyError) as error:
        raise Fault("unreadable_image", case.image, f"imageData is no base64 text ({error}): fetch the picture as a file") from error
    picture, _ = decode(content, case.image, None, source.limits.max_pixels)
    shown = shown_picture(picture, source.card, case.image)
    return replace(shown, flags=[flag for flag in shown.flags if flag != "wrong_extension"])


def _require_size(content: Any, shape: tuple[int, ...], path: str) -> None:
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        raise Fault("bad_annotations", path, "LabelMe files have a list of `shapes`: this is another format; mend the card's mask pattern")
    stated = (content.get("imageHeight"), content.get("imageWidth"))
    if None not in stated and stated != shape[:2]:
        cause = f"drawn on a picture of {stated[1]} x {stated[0]}, this one has {shape[1]} x {shape[0]}: the picture was changed since"
        raise Fault("mask_size", path, f"{cause}; fetch the one that was drawn on")


def _drawings(content: dict[str, Any], path: str, centre: float, source: Source) -> list[Drawing]:
    """One drawing for every shape, or group of shapes of one label, in the order of first appearance."""
    groups: dict[tuple[str, Any], list[tuple[int, dict[str, Any]]]] = {}
    for number, shape in enumerate(content["shapes"]):
        if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
            raise Fault("bad_annotations", path, f"shapes[{number}] has no label: mend the file")
        group = shape.get("group_id")
        groups.setdefault((shape["label"], ("alone", number) if group is None else group), []).append((number, shape))
    return [Drawing(label, path, partial(_draw_group, parts, path, centre, source.limits.max_pixels)) for (label, _), parts in groups.items()]


def _draw_group(parts: list[tuple[int, dict[str, Any]]], path: str, centre: float, max_pixels: int, size: tuple[int, int]) -> Patch:
    patches = [_draw(shape, f"shapes[{number}]", path, centre, max_pixels, size) for number, shape in parts]
    whole = unite([ObjectMask("", "", False, patch.mask, corner=patch.corner) for patch in patches])
    return Patch(whole.mask, whole.corner, sorted({flag for patch in patches for flag in patch.flags}))


def _draw(shape: dict[str, Any], name: str, path: str, centre: float, max_pixels: int, size: tuple[int, int]) -> Patch:
    """Pixels of one shape for a picture of ``size`` (height, width)."""
    kind = shape.get("shape_type") or "polygon"
    if kind not in _POINTS:
        cause = f"{name} is a {kind}, which encloses nothing: draw a polygon, rectangle, circle or mask, or put its label under ignored_sources"
        raise Fault("bad_polygon", path, cause)
    try:
        points = np.array(shape.get("points"), float)
    except (TypeError, ValueError):
        points = np.zeros((0, 2))
    exact = kind != "polygon"
    if points.ndim != 2 or points.shape[1:] != (2,) or (exact and len(points) != _POINTS[kind]):
        raise Fault("bad_polygon", path, f"{name}: a {kind} needs {'' if exact else 'at least '}{_POINTS[kind]} points [x, y]; mend the file")
    if kind == "mask":
        return _draw_mask(shape, points, name, path, max_pixels, size)
    ring = {"polygon": lambda: points, "rectangle": lambda: rectangle(*points), "circle": lambda: circle(*points)}[kind]()
    return patch_of_rings([ring], size, centre, path, name)


def _draw_mask(shape: dict[str, Any], points: np.ndarray, name: str, path: str, max_pixels: int, size: tuple[int, int]) -> Patch:
    """A mask shape: a PNG in base64, whose first pixel lies at the first point."""
    try:
        content = base64.b64decode(shape.get("mask") or "", validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise Fault("bad_annotations", path, f"{name}: its mask is no base64 text ({error}); mend the file") from error
    mask = np.asarray(decode(content, path, None, max_pixels)[0].convert("L")) > 0
    left, top = (int(value) for value in np.floor(points[0] + 0.5))
    if min(top, left) < 0 or top + mask.shape[0] > size[0] or left + mask.shape[1] > size[1]:
        cause = f"{name}: a mask of {mask.shape[::-1]} at column {left}, row {top} leaves the picture of {size[::-1]} (width, height)"
        raise Fault("mask_outside", path, f"{cause}; mend the file")
    if not mask.any():
        raise Fault("empty_mask", path, f"{name}: its mask has no pixel; take it out")
    return Patch(mask, (top, left))
