"""Scenes of the samples, and the pictures that a model which writes must see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.core.claims import Scene, scene_of
from stages.core.records import Anchor, Rle, Sample, from_row
from stages.core.shards import iter_table

_SAMPLE_COLUMNS = [name for name in Sample.__dataclass_fields__ if name not in ("image", "objects")]
_ANCHOR_COLUMNS = [name for name in Anchor.__dataclass_fields__ if name != "mask_rle"]
_NO_MASK = {"size": [0, 0], "counts": ""}


@dataclass(frozen=True)
class Shown:
    """What a model sees of a sample: PNG bytes as ingested, masks by anchor id."""

    sample_id: str
    body_part: str
    image: bytes
    masks: dict[str, Rle]


def read_scenes(dataset: str) -> list[Scene]:
    """Scenes of a dataset in the order of their ids, without pictures and masks.

    Raises:
        FileNotFoundError: the dataset's samples or anchors have not been made.
    """
    anchors: dict[str, list[Anchor]] = defaultdict(list)
    for row in iter_table(Path("data/anchors") / dataset / "anchors", Anchor, _ANCHOR_COLUMNS):
        anchors[row["sample_id"]].append(from_row(Anchor, {**row, "mask_rle": _NO_MASK}))
    samples = iter_table(Path("data/samples") / dataset / "samples", Sample, _SAMPLE_COLUMNS)
    return [scene_of(from_row(Sample, {**row, "image": b"", "objects": []}), anchors[row["sample_id"]]) for row in samples]


def read_shown(dataset: str) -> Iterator[Shown]:
    """Pictures and masks of a dataset in the order of ``read_scenes``, one at a time."""
    masks: dict[str, dict[str, Rle]] = defaultdict(dict)
    for row in iter_table(Path("data/anchors") / dataset / "anchors", Anchor, ["anchor_id", "sample_id", "mask_rle"]):
        masks[row["sample_id"]][row["anchor_id"]] = Rle(**row["mask_rle"])
    for row in iter_table(Path("data/samples") / dataset / "samples", Sample, ["sample_id", "body_part", "image"]):
        yield Shown(row["sample_id"], row["body_part"], row["image"], masks[row["sample_id"]])
