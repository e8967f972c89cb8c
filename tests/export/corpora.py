"""A small corpus in its tables: two sources, one free and one whose terms are not known, five patients."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import yaml

from stages.core.geometry import encode_mask, tight_box
from stages.core.params import DatasetParams
from stages.core.records import Anchor, CorpusImage, Example, Query, Sample
from stages.core.shards import write_table
from stages.split.corpus import Picture, example_of
from tests.split.tables import anchor, picture, png, query, sample

WIDTH = HEIGHT = 96
CARD = {
    "title": "A set", "url": "https://example.org/set", "version": "1", "licence_limits": "Attribution.", "citation": "A B. A set (2020).",
    "verified_on": "real", "modality": "CT", "body_part": "abdomen", "hash_patients": True,
}  # fmt: skip
SPLIT_OF = {"p1": "train", "p2": "train", "p3": "val", "p4": "test", "p5": "train"}
DATASETS = {"free": DatasetParams("cards/free.yaml", "raw"), "closed": DatasetParams("cards/closed.yaml", "raw")}


def disc(centre: tuple[int, int], radius: int) -> np.ndarray:
    """A round mask (height, width)."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


MASKS = [disc((20, 70), 9), disc((60, 30), 14)]


def write_corpus(root: Path) -> None:
    """Write what an export reads under ``root``: cards, samples, anchors, accepted queries, corpus."""
    samples, anchors, queries = [], [], []
    for patient in SPLIT_OF:
        dataset, licence = ("closed", "unknown") if patient == "p5" else ("free", "CC-BY-4.0")
        row = dataclasses.replace(sample(dataset, patient, 3, png(picture(int(patient[1])))), licence=licence)
        samples.append(row)
        for number, mask in enumerate(MASKS):
            made = anchor(row.sample_id, number, tight_box(mask))
            anchors.append(dataclasses.replace(made, mask_rle=encode_mask(mask), area_px=int(mask.sum())))
        first, second = f"{row.sample_id}#0", f"{row.sample_id}#1"
        queries += [
            query(row.sample_id, 0, [first], "The smaller lesion, at the top-right."),
            query(row.sample_id, 1, [first], "the lesion near the top"),
            query(row.sample_id, 2, [second, first], "both lesions", kind="multi"),
            query(row.sample_id, 3, [], "the lesion in the spleen", kind="none"),
        ]
    for dataset in DATASETS:
        own = [row for row in samples if row.dataset == dataset]
        ids = {row.sample_id for row in own}
        write_table(root / "data/samples" / dataset / "samples", Sample, own)
        write_table(root / "data/anchors" / dataset / "anchors", Anchor, [row for row in anchors if row.sample_id in ids])
        (root / "cards").mkdir(exist_ok=True)
        card = {**CARD, "licence": "CC-BY-4.0" if dataset == "free" else None}
        (root / f"cards/{dataset}.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    for verdict, rows in (("accepted", queries), ("rejected", []), ("undecided", [])):
        write_table(root / "data/verified" / verdict, Query, rows)
    _write_examples(root, samples, anchors, queries)


def _write_examples(root: Path, samples: list[Sample], anchors: list[Anchor], queries: list[Query]) -> None:
    known = {row.sample_id: Picture(row.sample_id, row.dataset, row.patient_id, row.modality, row.width, row.height, row.licence) for row in samples}
    for row in anchors:
        known[row.sample_id].boxes_xyxy_px[row.anchor_id] = row.box_xyxy_px
        known[row.sample_id].labels[row.anchor_id] = row.label
    examples = [example_of(row, known, SPLIT_OF[known[row.sample_id].patient_id]) for row in queries]
    write_table(root / "data/corpus/examples", Example, examples)
    write_table(root / "data/corpus/images", CorpusImage, [CorpusImage(row.sample_id, row.image, row.width, row.height) for row in samples])
