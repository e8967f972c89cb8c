"""RefCOCO's files, in the folders where the public loaders look for them.

``refcoco/instances.json`` and ``refcoco/refs(medground).p`` are read by REFER (github.com/lichengunc/refer), whose
folder names are fixed: ``REFER(OUT, "refcoco", "medground")``; its pictures lie in
``images/mscoco/images/train2014``, whatever the split. A ref is one object with all sentences about it, so only
expressions with exactly one target are there. ``grefcoco/`` holds all of them for the loaders of gRefCOCO
(``G_REFER(OUT, "grefcoco", "medground")``): a ref is a set of objects, ``ann_id`` a list, [-1] for no target.

Masks are lists of one run-length code, which is what these loaders decode; pycocotools wants the code itself (format coco).
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.core.records import Example
from stages.export.coco import Numbers, annotation, categories, image, licences
from stages.export.holdings import Holdings
from stages.export.layout import Column, Layout, write_json
from stages.export.pictures import write_pictures

SPLIT_BY = "medground"
IMAGES = Path("images/mscoco/images/train2014")
NO_TARGET = -1
_TOKEN = re.compile(r"[\w]+(?:[.'-][\w]+)*")
USAGE = (
    "from refer import REFER  # github.com/lichengunc/refer",
    f'refer = REFER(".", dataset="refcoco", splitBy="{SPLIT_BY}")',
    'ref = refer.loadRefs(refer.getRefIds(split="train"))[0]',
    "box_xywh, mask = refer.getRefBox(ref['ref_id']), refer.getMask(ref)['mask']",
)


def export_refcoco(holdings: Holdings, out: Path) -> Layout:
    """Write refs and instances for both loaders, and the pictures."""
    numbers = Numbers(holdings)
    objects = [annotation(item, numbers) for item in holdings.objects.values()]
    instances = {
        "info": {"description": "MedGround corpus", "version": holdings.checksum[:12]},
        "licenses": licences(numbers),
        "images": [image(picture, numbers) for picture in holdings.pictures.values()],
        "annotations": [{**item, "segmentation": [item["segmentation"]]} for item in objects],
        "categories": categories(holdings, numbers),
    }
    grouped: dict[tuple[str, ...], list[Example]] = {}
    for example in holdings.examples:
        # Expressions without a target are about the picture.
        key = (example.sample_id, *sorted(holdings.targets[example.example_id]))
        grouped.setdefault(key, []).append(example)
    refs = [_ref(number, examples, holdings, numbers) for number, examples in enumerate(grouped.values(), start=1)]
    write_json(out / "refcoco/instances.json", instances)
    write_json(out / "grefcoco/instances.json", instances)
    write_json(out / f"grefcoco/grefs({SPLIT_BY}).json", refs)
    single = [_of_one_object(ref) for ref in refs if len(ref["ann_id"]) == 1 and not ref["no_target"]]
    # Through JSON, so that equal strings are equal objects or not in the same way every time: pickle notes which are.
    (out / f"refcoco/refs({SPLIT_BY}).p").write_bytes(pickle.dumps(json.loads(json.dumps(single)), protocol=2))
    write_pictures(holdings, lambda picture: out / IMAGES)
    return Layout(f"grefcoco/grefs({SPLIT_BY}).json", "application/json", "jsonPath", COLUMNS, USAGE)


def tokens(text: str) -> list[str]:
    """Lower-case words of an expression without punctuation, as RefCOCO's sentences are."""
    return _TOKEN.findall(text.lower())


def _ref(number: int, examples: Sequence[Example], holdings: Holdings, numbers: Numbers) -> dict[str, Any]:
    first = examples[0]
    found = [holdings.objects[anchor_id] for anchor_id in holdings.targets[first.example_id]]
    sentences = [_sentence(example, number, holdings) for example in examples]
    return {
        "ref_id": number,
        "image_id": numbers.image[first.sample_id],
        "file_name": holdings.pictures[first.sample_id].file_name,
        "split": first.split,
        "ann_id": [numbers.annotation[item.anchor_id] for item in found] or [NO_TARGET],
        "category_id": [numbers.category[item.label] for item in found] or [NO_TARGET],
        "no_target": not found,
        "sentences": sentences,
        "sent_ids": [sentence["sent_id"] for sentence in sentences],
    }


def _sentence(example: Example, ref_id: int, holdings: Holdings) -> dict[str, Any]:
    words = tokens(example.text)
    return {
        "sent_id": holdings.number_of[example.example_id],
        "ref_id": ref_id,
        "raw": example.text,
        "sent": " ".join(words),
        "tokens": words,
        "example_id": example.example_id,
    }


def _of_one_object(ref: dict[str, Any]) -> dict[str, Any]:
    """The same ref as RefCOCO knows it, with one object."""
    plain = {name: value for name, value in ref.items() if name != "no_target"}
    return {**plain, "ann_id": ref["ann_id"][0], "category_id": ref["category_id"][0]}


COLUMNS = (
    Column("sent_id", "sc:Integer", "$[*].sentences[*].sent_id", "Number of the referring expression."),
    Column("ref_id", "sc:Integer", "$[*].sentences[*].ref_id", "Number of the set of objects that it means."),
    Column("raw", "sc:Text", "$[*].sentences[*].raw", "The referring expression."),
    Column("example_id", "sc:Text", "$[*].sentences[*].example_id", "Its id in the corpus."),
)
