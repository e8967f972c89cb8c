"""COCO JSON: ``annotations/instances_<split>.json`` and ``captions_<split>.json`` beside ``images/<split>``.

Instances hold every annotated object of a picture, whether or not an expression is about it. Captions are the referring
expressions; ``annotation_ids`` names the objects that one of them means (none: it means nothing that is there).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from stages.core.records import Example
from stages.export.holdings import Holdings, Object, Picture
from stages.export.layout import Column, Layout, write_json, xywh
from stages.export.pictures import write_pictures

USAGE = (
    "from pycocotools.coco import COCO",
    'instances = COCO("annotations/instances_train.json")',
    'captions = COCO("annotations/captions_train.json")',
    'first = captions.loadAnns(captions.getAnnIds())[0]  # first["caption"]',
    'masks = [instances.annToMask(item) for item in instances.loadAnns(first["annotation_ids"])]',
)


class Numbers:
    """COCO's numbers of pictures, objects and classes: from 1 on in the order of the ids, over all splits of the export."""

    def __init__(self, holdings: Holdings):
        self.image = {name: number for number, name in enumerate(holdings.pictures, start=1)}
        self.annotation = {name: number for number, name in enumerate(holdings.objects, start=1)}
        self.category = {name: number for number, name in enumerate(holdings.labels, start=1)}
        self.licence = {name: number for number, name in enumerate(sorted({picture.licence for picture in holdings.pictures.values()}), start=1)}


def export_coco(holdings: Holdings, out: Path) -> Layout:
    """Write the annotations of every split, and the pictures."""
    numbers = Numbers(holdings)
    for split in holdings.splits:
        pictures = [picture for picture in holdings.pictures.values() if picture.split == split]
        shared = {
            "info": {"description": f"MedGround corpus, {split}", "version": holdings.checksum[:12]},
            "licenses": licences(numbers),
            "images": [image(picture, numbers) for picture in pictures],
        }
        instances = [annotation(item, numbers) for item in holdings.objects.values() if holdings.pictures[item.sample_id].split == split]
        write_json(out / f"annotations/instances_{split}.json", {**shared, "categories": categories(holdings, numbers), "annotations": instances})
        write_json(out / f"annotations/captions_{split}.json", {**shared, "annotations": _captions(holdings, split, numbers)})
    write_pictures(holdings, lambda picture: out / "images" / picture.split)
    return Layout("annotations/captions_*.json", "application/json", "jsonPath", COLUMNS, USAGE)


def licences(numbers: Numbers) -> list[dict[str, Any]]:
    """COCO's list of licences."""
    return [{"id": number, "name": name, "url": f"https://spdx.org/licenses/{name}.html"} for name, number in numbers.licence.items()]


def image(picture: Picture, numbers: Numbers) -> dict[str, Any]:
    """A COCO image; beyond COCO it says what the picture is, and of which classes absence means absence (``annotated_labels``)."""
    known = ("sample_id", "dataset", "patient_id", "modality", "body_part", "plane", "spacing_mm", "image_left_is", "annotated_labels")
    beyond = {name: value for name, value in dataclasses.asdict(picture).items() if name in known}
    return {
        **beyond,
        "id": numbers.image[picture.sample_id],
        "file_name": picture.file_name,
        "width": picture.width,
        "height": picture.height,
        "license": numbers.licence[picture.licence],
    }


def annotation(item: Object, numbers: Numbers) -> dict[str, Any]:
    """A COCO annotation with its mask as compressed run lengths; a crowd is several objects that nobody told apart."""
    return {
        "id": numbers.annotation[item.anchor_id],
        "anchor_id": item.anchor_id,
        "image_id": numbers.image[item.sample_id],
        "category_id": numbers.category[item.label],
        "bbox": xywh(item.box_xyxy_px),
        "area": item.area_px,
        "segmentation": dataclasses.asdict(item.mask_rle),
        "iscrowd": int(item.crowd),
    }


def categories(holdings: Holdings, numbers: Numbers) -> list[dict[str, Any]]:
    """COCO's list of classes; the supercategory is the kind (organ, lesion, ...)."""
    return [{"id": numbers.category[name], "name": name, "supercategory": kind} for name, kind in holdings.labels.items()]


def _captions(holdings: Holdings, split: str, numbers: Numbers) -> list[dict[str, Any]]:
    return [caption(example, holdings, numbers) for example in holdings.examples if example.split == split]


def caption(example: Example, holdings: Holdings, numbers: Numbers) -> dict[str, Any]:
    """A COCO caption with the objects that it means and their boxes."""
    return {
        "id": holdings.number_of[example.example_id],
        "example_id": example.example_id,
        "image_id": numbers.image[example.sample_id],
        "caption": example.text,
        "label": example.label,
        "kind": example.kind,
        "annotation_ids": [numbers.annotation[anchor_id] for anchor_id in holdings.targets[example.example_id]],
        "bboxes": [xywh(holdings.objects[anchor_id].box_xyxy_px) for anchor_id in holdings.targets[example.example_id]],
    }


COLUMNS = (
    Column("example_id", "sc:Text", "$.annotations[*].example_id", "Id of the referring expression."),
    Column("image_id", "sc:Integer", "$.annotations[*].image_id", "COCO id of its picture."),
    Column("caption", "sc:Text", "$.annotations[*].caption", "The referring expression."),
    Column("kind", "sc:Text", "$.annotations[*].kind", "single | multi | none | name: how many targets it has."),
    Column("bboxes", "cr:BoundingBox", "$.annotations[*].bboxes", "Boxes of the targets, [x, y, width, height] in pixels.", repeated=True),
)
