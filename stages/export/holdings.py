"""The corpus with what other tables know about it: pictures, masks, targets, writers, sources."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from stages.core.params import DatasetParams
from stages.core.records import Anchor, CorpusImage, Example, Query, Rle, Sample
from stages.core.shards import iter_table, read_table
from stages.core.splits import in_reading_order
from stages.core.stage import StageError
from stages.export.sources import Source, read_source, redistributable

_SAMPLE_COLUMNS = [
    "sample_id", "dataset", "patient_id", "modality", "body_part", "plane", "width", "height", "spacing_mm", "image_left_is",
    "annotated_labels", "licence", "transform", "source_files",
]  # fmt: skip
_OBJECT_COLUMNS = ["anchor_id", "sample_id", "label", "kind", "box_xyxy_px", "area_px", "crowd", "mask_rle"]
_PLAIN = re.compile(r"[^A-Za-z0-9._/-]")
PIXELS = ("redistributable", "all", "none")


@dataclass(frozen=True)
class Picture:
    """One picture of the corpus; ``source_sha256`` are the checksums of the files that it was made of."""

    sample_id: str
    dataset: str
    patient_id: str
    modality: str
    body_part: str
    plane: str | None
    width: int
    height: int
    spacing_mm: list[float] | None
    image_left_is: str | None
    annotated_labels: list[str]
    licence: str
    transform: str
    source_sha256: list[str]
    split: str

    @property
    def file_name(self) -> str:
        """Path of its PNG below the folder of its split; an id with other signs than plain ones gets a checksum, so that no two meet."""
        plain = _PLAIN.sub("_", self.sample_id)
        if plain == self.sample_id and not {"", ".", ".."} & set(plain.split("/")):
            return f"{plain}.png"
        return f"{PurePosixPath(plain).name.strip('.')}-{hashlib.sha256(self.sample_id.encode()).hexdigest()[:16]}.png"


@dataclass(frozen=True)
class Object:
    """One annotated object of a picture of the corpus, whether or not an expression is about it."""

    anchor_id: str
    sample_id: str
    label: str
    kind: str
    box_xyxy_px: list[float]
    area_px: int
    crowd: bool
    mask_rle: Rle


@dataclass(frozen=True)
class Holdings:
    """What is exported. ``pictures``, ``objects`` and ``targets`` (of an example, in the order of its boxes) are keyed by
    sample, anchor and example id, each in the order of the ids. ``pixels`` says whose pictures go along (``PIXELS``).
    """

    examples: list[Example]
    pictures: dict[str, Picture]
    objects: dict[str, Object]
    targets: dict[str, list[str]]
    writers: dict[str, int]
    styles: dict[str, int]
    sources: dict[str, Source]
    splits: tuple[str, ...]
    pixels: str

    def goes_along(self, picture: Picture) -> bool:
        """Whether the pixels of a picture are part of the export."""
        return self.pixels == "all" or (self.pixels == "redistributable" and redistributable(picture.licence))

    def images(self) -> Iterator[tuple[Picture, bytes]]:
        """Every picture with its PNG bytes as ingested, in the order of the ids; a shard of the table at a time is in memory."""
        for row in iter_table("data/corpus/images", CorpusImage, columns=["sample_id", "image"]):
            if row["sample_id"] in self.pictures:
                yield self.pictures[row["sample_id"]], row["image"]

    @cached_property
    def labels(self) -> dict[str, str]:
        """Every class that is marked or could have been, with its kind ("" where no picture shows one)."""
        seen = {label: "" for picture in self.pictures.values() for label in picture.annotated_labels}
        seen |= {item.label: item.kind for item in self.objects.values()}
        return dict(sorted(seen.items()))

    @cached_property
    def examples_of(self) -> dict[str, list[Example]]:
        """Examples by sample id."""
        grouped: dict[str, list[Example]] = {}
        for example in self.examples:
            grouped.setdefault(example.sample_id, []).append(example)
        return grouped

    @cached_property
    def number_of(self) -> dict[str, int]:
        """Number of every example, from 1 on, in the order of the ids."""
        return {example.example_id: number for number, example in enumerate(self.examples, start=1)}

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of what the examples say: the same corpus has the same one on every machine."""
        digest = hashlib.sha256()
        for example in self.examples:
            digest.update(repr((example.example_id, example.text, example.boxes_xyxy_px, example.split)).encode())
        return digest.hexdigest()


def load_holdings(datasets: Mapping[str, DatasetParams], splits: Collection[str], pixels: str = "redistributable") -> Holdings:
    """Read the corpus of those splits and what belongs to it from the tables under ``data``.

    Raises:
        StageError: no example is in the splits, a patient is in two, a dataset is not declared, or the tables are of different runs.
    """
    examples = [example for example in read_table("data/corpus/examples", Example) if example.split in splits]
    if not examples:
        raise StageError(f"no example of data/corpus is in {', '.join(splits)}: nothing to export; choose another --split")
    _check_patients(examples)
    names = sorted({example.dataset for example in examples})
    unknown = [name for name in names if name not in datasets]
    if unknown:
        raise StageError(f"data/corpus holds examples of {unknown[0]!r}, which params.yaml does not declare under `datasets`: run `dvc repro`")
    split_of = {example.sample_id: example.split for example in examples}
    pictures = {picture.sample_id: picture for name in names for picture in _pictures(name, split_of)}
    absent = sorted(set(split_of) - set(pictures))
    if absent:
        raise StageError(f"{absent[0]}: its sample is not in data/samples: the tables are of different runs, run `dvc repro`")
    objects = {item.anchor_id: item for name in names for item in _objects(name, split_of)}
    targets, writers, styles = _targets(examples, objects)
    sources = {name: read_source(name, Path(datasets[name].card)) for name in names}
    return Holdings(examples, dict(sorted(pictures.items())), dict(sorted(objects.items())), targets, writers, styles, sources, tuple(splits), pixels)


def _check_patients(examples: Collection[Example]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for example in examples:
        if seen.setdefault((example.dataset, example.patient_id), example.split) != example.split:
            raise StageError(f"patient {example.patient_id} stands in two splits: nothing was exported; run `dvc repro split`")


def _pictures(dataset: str, split_of: Mapping[str, str]) -> Iterator[Picture]:
    for row in iter_table(Path("data/samples") / dataset / "samples", Sample, columns=_SAMPLE_COLUMNS):
        if row["sample_id"] in split_of:
            # Names of source files can hold what identifies a patient; their checksums cannot.
            checksums = [file["sha256"] for file in row.pop("source_files")]
            yield Picture(**row, source_sha256=checksums, split=split_of[row["sample_id"]])


def _objects(dataset: str, wanted: Collection[str]) -> Iterator[Object]:
    for row in iter_table(Path("data/anchors") / dataset / "anchors", Anchor, columns=_OBJECT_COLUMNS):
        if row["sample_id"] in wanted:
            yield Object(**{**row, "mask_rle": Rle(**row["mask_rle"])})


def _targets(examples: Collection[Example], objects: Mapping[str, Object]) -> tuple[dict[str, list[str]], dict[str, int], dict[str, int]]:
    """Target anchors of every example, and how many examples each writer and each style has."""
    wanted = {example.example_id: example for example in examples}
    targets: dict[str, list[str]] = {}
    writers: Counter[str] = Counter()
    styles: Counter[str] = Counter()
    for row in iter_table("data/verified/accepted", Query, columns=["query_id", "anchor_ids", "style", "writer"]):
        example = wanted.get(row["query_id"])
        if example is None:
            continue
        known = [objects[anchor_id] for anchor_id in row["anchor_ids"] if anchor_id in objects]
        known.sort(key=lambda item: (item.box_xyxy_px[1], item.box_xyxy_px[0], item.box_xyxy_px[3], item.box_xyxy_px[2], item.anchor_id))
        if [item.box_xyxy_px for item in known] != in_reading_order(example.boxes_xyxy_px):
            raise StageError(f"{example.example_id}: its boxes are not those of its anchors: the tables are of different runs, run `dvc repro`")
        targets[example.example_id] = [item.anchor_id for item in known]
        writers[f"{row['writer']['backend']}: {row['writer']['model']}"] += 1
        styles[row["style"]] += 1
    absent = sorted(set(wanted) - set(targets))
    if absent:
        raise StageError(f"{absent[0]}: not in data/verified/accepted: the tables are of different runs, run `dvc repro`")
    return targets, dict(sorted(writers.items())), dict(sorted(styles.items()))
