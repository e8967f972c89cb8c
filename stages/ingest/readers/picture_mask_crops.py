"""Picture + masks cropped to their object, placed by a table. Foreground is what is coloured; alpha is not read.

The table has a row a mask; the card says which of its columns means what, and the rest of the folder needs no mask pattern:

    reader: picture_mask_crops
    files: {image: ["images/{case}.{ending:png|jpg}"], mask: [], other: ["masks.csv"]}
    crops: {table: masks.csv, image: file, mask: mask_path, label: name, top: top, left: left, width: width, height: height, resolution: resolution}
    labels: {left lung: {sources: [Left Lung], semantic: false}}

    file,mask_path,name,top,left,width,height,resolution
    a.png,masks/a1.png,Left Lung,20,310,180,400,600x500

``top`` to ``height`` are pixels of the whole image, ``resolution`` is its width x height. A mask of another size than its
place, or an image of another size than ``resolution``, is a fault.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from stages.core.params import ParamError
from stages.ingest.blocks import CropTable
from stages.ingest.card import Card
from stages.ingest.cases import Case, Found, MaskFile, Place, item_id, make_case, require_case, table_errors
from stages.ingest.faults import Fault
from stages.ingest.patterns import compile_pattern, inside_root, list_files, match_parts
from stages.ingest.readers.base import Reading, Source
from stages.ingest.readers.picture_mask_files import read_with_masks
from stages.ingest.tables import read_image_table, read_rows


class PictureMaskCrops:
    """``card.crops`` names the table and its columns; its ``image`` column holds the image's file name."""

    def find(self, card: Card, root: Path) -> Found:
        """Masks by the rows of the table; mask files that no row names are unexplained."""
        if card.crops is None:
            raise ParamError(f"card {card.name}: the reader picture_mask_crops needs `crops`")
        spec = card.crops
        columns = [spec.image, spec.mask, spec.label, spec.top, spec.left, spec.width, spec.height, spec.resolution]
        patterns = [compile_pattern(text, f"{card.name}:files:image") for text in card.files.image]
        require_case(card, patterns)
        files = list_files(root)
        images = {path: parts for path in files if (parts := match_parts(path, patterns)) is not None}
        masks: dict[str, list[MaskFile]] = {}
        table = read_rows(root, spec.table, columns)
        for line, row in table.rows:
            masks.setdefault(row[spec.image], []).append(mask_of_row(row, spec, line))
        found = _found(card, root, files, images, masks)
        return replace(found, errors=[*table_errors(card, table), *found.errors])

    def read(self, case: Case, source: Source) -> Reading:
        """Decode the picture and set each mask at its place."""
        return read_with_masks(case, source)


def _found(card: Card, root: Path, files: list[str], images: dict[str, dict[str, str]], masks: dict[str, list[MaskFile]]) -> Found:
    table = read_image_table(card.image_table, root) if card.image_table else {}
    cases, errors = [], []
    for path, parts in images.items():
        mine = masks.get(PurePosixPath(path).name)
        try:
            if mine is None:
                raise Fault("image_without_mask", path, "no row of the table names this image: annotate it, or take it out of the folder")
            cases.append(make_case(card, path, parts, mine, table))
        except Fault as fault:
            errors.append(fault.as_error(item_id(card, parts)))
    names = {PurePosixPath(path).name for path in images}
    for name in sorted(set(masks) - names):
        for mask in masks[name]:
            fault = Fault("mask_without_image", mask.path, f"its row names the image {name!r}, which is not there: fetch it or drop the row")
            errors.append(fault.as_error(item_id(card, {"case": PurePosixPath(name).stem or "unknown"})))
    named = {mask.path for group in masks.values() for mask in group}
    others = [compile_pattern(text, f"{card.name}:files:other") for text in card.files.other]
    unmatched = [path for path in files if path not in images and path not in named and match_parts(path, others) is None]
    return Found(cases, errors, unmatched, sum(len(group) for group in masks.values()))


def mask_of_row(row: dict[str, str], spec: CropTable, line: int) -> MaskFile:
    """The mask that a table row describes; what is wrong with the row stays with it as a fault."""
    path, source = row[spec.mask].strip(), row[spec.label].strip()
    if not path:
        cause = f"line {line} ({source}) names no mask file: nothing was drawn, or it is lost; the label counts as not annotated in this image"
        return MaskFile(spec.table, source, fault=Fault("mask_not_given", spec.table, cause))
    if not inside_root(path):
        return MaskFile(spec.table, source, fault=Fault("unsafe_path", spec.table, f"line {line}: {path!r} leaves the dataset's root and is refused"))
    try:
        top, left, width, height = (int(row[name]) for name in (spec.top, spec.left, spec.width, spec.height))
        image_width, image_height = (int(side) for side in row[spec.resolution].lower().split("x"))
    except ValueError:
        cause = f"line {line}: place and resolution must be whole numbers and WIDTHxHEIGHT: mend the table"
        return MaskFile(path, source, fault=Fault("bad_table_row", spec.table, cause))
    return MaskFile(path, source, Place(top, left, width, height, image_width, image_height))
