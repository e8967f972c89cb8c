"""Parquet for Hugging Face ``datasets``: a row is an example with its picture; splits are folders below ``data``.

Written with pyarrow alone: what ``datasets`` needs to know (which column is a picture) stands in the schema's metadata.
Rows of one picture lie together, so a row group holds each picture once, in the dictionary of its column.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from stages.core.records import Example, schema_of, to_row
from stages.export.holdings import Holdings
from stages.export.layout import Column, Layout

# What datasets calls the splits.
SPLIT_NAMES = {"train": "train", "val": "validation", "test": "test"}
ROWS_PER_FILE = 8192
ROWS_PER_GROUP = 256
_LARGEST_DICTIONARY_BYTES = 1 << 28
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_MASKS = pa.list_(pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())]))
USAGE = (
    "from datasets import load_dataset",
    'corpus = load_dataset("parquet", data_files={"train": "data/train/*.parquet", "test": "data/test/*.parquet"})',
    'first = corpus["train"][0]  # first["image"] is a PIL picture, first["boxes_xyxy_px"] its boxes',
)


def schema() -> pa.Schema:
    """Columns of an example, its picture, what is known about the picture, and the masks of its targets in the order of the boxes."""
    fields = [*schema_of(Example), pa.field("body_part", pa.string()), pa.field("plane", pa.string()), pa.field("image_left_is", pa.string())]
    fields += [pa.field("masks_rle", _MASKS), pa.field("image", _IMAGE)]
    plain = pa.schema([pa.field(field.name, field.type) for field in fields])
    features = {field.name: {"_type": "Image"} if field.name == "image" else feature(field.type) for field in plain}
    return plain.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def feature(kind: pa.DataType) -> Any:
    """The ``datasets`` feature of an Arrow type, as it stands in the metadata.

    Raises:
        TypeError: a type that no column of the corpus has so far.
    """
    if pa.types.is_list(kind):
        return {"_type": "Sequence", "feature": feature(kind.value_type)} if not pa.types.is_struct(kind.value_type) else [feature(kind.value_type)]
    if pa.types.is_struct(kind):
        return {field.name: feature(field.type) for field in kind}
    names = {pa.string(): "string", pa.float64(): "float64", pa.int64(): "int64", pa.int32(): "int32", pa.bool_(): "bool"}
    if kind not in names:
        raise TypeError(f"no feature is known for the Arrow type {kind}")
    return {"_type": "Value", "dtype": names[kind]}


def export_parquet(holdings: Holdings, out: Path) -> Layout:
    """Write the splits, files of at most ``ROWS_PER_FILE`` rows each."""
    for split in holdings.splits:
        folder = out / "data" / SPLIT_NAMES[split]
        folder.mkdir(parents=True, exist_ok=True)
        total = sum(example.split == split for example in holdings.examples)
        rows = _rows(holdings, split)
        for number in range(max(1, math.ceil(total / ROWS_PER_FILE))):
            _write(folder / f"part-{number:05d}.parquet", islice(rows, ROWS_PER_FILE))
    return Layout("data/*/*.parquet", "application/x-parquet", "column", COLUMNS, USAGE)


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """One file, a row group at a time, so that no more than the pictures of a group are in memory."""
    with pq.ParquetWriter(path, schema(), compression="zstd", dictionary_pagesize_limit=_LARGEST_DICTIONARY_BYTES) as writer:
        while group := list(islice(rows, ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema()))


def _rows(holdings: Holdings, split: str) -> Iterator[dict[str, Any]]:
    """Rows of a split, in the order of the pictures' ids."""
    for picture, png in tqdm(holdings.images(), total=len(holdings.pictures), desc=split, unit="picture"):
        if picture.split != split:
            continue
        image = {"bytes": png, "path": picture.file_name} if holdings.goes_along(picture) else None
        for example in holdings.examples_of[picture.sample_id]:
            masks = [dataclasses.asdict(holdings.objects[anchor_id].mask_rle) for anchor_id in holdings.targets[example.example_id]]
            known = {"body_part": picture.body_part, "plane": picture.plane, "image_left_is": picture.image_left_is}
            yield {**to_row(example), **known, "masks_rle": masks, "image": image}


COLUMNS = (
    Column("example_id", "sc:Text", "example_id", "Id of the referring expression."),
    Column("sample_id", "sc:Text", "sample_id", "Id of its picture."),
    Column("text", "sc:Text", "text", "The referring expression."),
    Column("label", "sc:Text", "label", "Canonical class that it is about."),
    Column("kind", "sc:Text", "kind", "single | multi | none | name: how many targets it has."),
    Column("split", "sc:Text", "split", "train | val | test; a patient is in one of them."),
    Column("modality", "sc:Text", "modality", "How the picture was taken."),
    Column("dataset", "sc:Text", "dataset", "Source, a card of data/cards."),
    Column("licence", "sc:Text", "licence", "Licence of the source."),
    Column("patient_id", "sc:Text", "patient_id", "Patient of the source; a keyed hash for real patients."),
    Column("width", "sc:Integer", "width", "Width of the picture in pixels."),
    Column("height", "sc:Integer", "height", "Height of the picture in pixels."),
    Column("boxes_xyxy_px", "sc:Float", "boxes_xyxy_px", "Boxes of the targets, [x0, y0, x1, y1] in pixels, half-open.", repeated=True),
)
