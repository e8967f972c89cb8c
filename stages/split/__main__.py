"""Corpus of accepted queries, split by patient: ``python -m stages.split``."""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.duplicates import Duplicates, Fingerprint, find_duplicates, fingerprint
from stages.core.parallel import Workers, ordered_map
from stages.core.params import ParamError, Params, SplitParams, UnseenParams, require
from stages.core.records import Anchor, CorpusImage, Example, Query, Sample
from stages.core.shards import iter_table, read_table, write_table
from stages.core.splits import SPLITS
from stages.core.stage import StageError, run_stage
from stages.split.corpus import Picture, example_of
from stages.split.patients import STRICTEST_FIRST, Patient, assign, linked_groups
from stages.split.texts import shared_texts

log = logging.getLogger("medground")
_SAMPLE_COLUMNS = ["sample_id", "dataset", "patient_id", "modality", "width", "height", "licence", "source_split", "spacing_mm"]


@dataclass(frozen=True)
class Division:
    """Split of every patient, with the duplicates that were looked for and the number of groups that they made."""

    split_of: dict[Patient, str]
    duplicates: Duplicates
    joined_groups: int
    joined_patients: int


def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python -m stages.split", description=__doc__).parse_args()
    run_stage("split", split_corpus)


def split_corpus(params: Params) -> dict[str, Any]:
    """Write data/corpus/examples and data/corpus/images; return the metrics.

    Raises:
        StageError: inputs of different runs, or a patient in two splits.
    """
    _check(params.split)
    datasets = sorted(params.datasets)
    pictures = _pictures(datasets)
    order = list(pictures)
    prints = _fingerprints(datasets, order, params.engine)
    stated = stated_splits(pictures.values()) if params.split.keep_source_split else {}
    unseen = unseen_pictures(pictures, params.evaluate.unseen, datasets)
    held_out = {_patient(pictures[sample_id]) for sample_id in unseen}
    division = divide([_patient(pictures[sample_id]) for sample_id in order], prints, params, stated, held_out)
    accepted = read_table("data/verified/accepted", Query)
    examples = [example_of(query, pictures, division.split_of[_patient(_picture_of(query, pictures))], query.sample_id in unseen) for query in accepted]
    figures = _figures(examples, [pictures[sample_id] for sample_id in order], division)
    write_table("data/corpus/examples", Example, examples)
    _write_images(datasets, {example.sample_id for example in examples})
    return figures


def stated_splits(pictures: Iterable[Picture]) -> dict[Patient, str]:
    """Patients whose source names their split; one that it names twice counts as test before validation before training."""
    stated: dict[Patient, str] = {}
    for picture in pictures:
        if picture.source_split is not None:
            earlier = stated.get(_patient(picture), picture.source_split)
            stated[_patient(picture)] = min(earlier, picture.source_split, key=STRICTEST_FIRST.index)
    return stated


def unseen_pictures(pictures: Mapping[str, Picture], unseen: UnseenParams, datasets: Sequence[str]) -> set[str]:
    """Ids of the pictures of the datasets and modalities that ``evaluate.unseen`` holds out.

    Raises:
        ParamError: it names a dataset that is not declared, or a modality that no picture has.
    """
    modalities = {picture.modality for picture in pictures.values()}
    for name, asked, known in (("datasets", unseen.datasets, set(datasets)), ("modalities", unseen.modalities, modalities)):
        for value in asked:
            if value not in known:
                raise ParamError(f"params.yaml:evaluate.unseen.{name}: there is no {value!r}; there are {', '.join(sorted(known))}")
    return {sample_id for sample_id, picture in pictures.items() if picture.dataset in unseen.datasets or picture.modality in unseen.modalities}


def divide(
    owners: Sequence[Patient],
    prints: Sequence[Fingerprint],
    params: Params,
    stated: Mapping[Patient, str] | None = None,
    held_out: Collection[Patient] = (),
) -> Division:
    """Split of the patients who own the pictures ``prints``, one owner per picture; duplicates stay together.

    ``stated`` are the splits of the sources that are kept; the patients ``held_out`` are test, with all who are linked to them.
    """
    found = find_duplicates(prints, owners, params.split.perceptual_distance)
    links = [(owners[i], owners[j]) for i, j in [*found.exact, *found.perceptual]]
    groups = linked_groups(owners, links)
    joined = [group for group in groups if len(group) > 1]
    split_of = assign(groups, params.seed, params.split.val_share, params.split.test_share, stated, held_out)
    return Division(split_of, found, len(joined), sum(map(len, joined)))


def _check(params: SplitParams) -> None:
    for name, share in (("split.val_share", params.val_share), ("split.test_share", params.test_share)):
        require(0 <= share < 1, name, "at least 0 and below 1", share)
    total = params.val_share + params.test_share
    require(total < 1, "split.test_share", "below 1 together with split.val_share", params.test_share)
    require(0 <= params.perceptual_distance <= 64, "split.perceptual_distance", "a number of bits from 0 to 64", params.perceptual_distance)


def _pictures(datasets: Sequence[str]) -> dict[str, Picture]:
    """Samples of the declared datasets by id, in id order within a dataset, with their anchors' boxes and labels."""
    pictures: dict[str, Picture] = {}
    for dataset in datasets:
        for row in iter_table(Path("data/samples") / dataset / "samples", Sample, columns=_SAMPLE_COLUMNS):
            pictures[row["sample_id"]] = Picture(**row)
        columns = ["anchor_id", "sample_id", "label", "box_xyxy_px"]
        for row in iter_table(Path("data/anchors") / dataset / "anchors", Anchor, columns=columns):
            picture = pictures.get(row["sample_id"])
            if picture is None:
                raise StageError(f"{row['anchor_id']}: its sample is not in data/samples: the tables are of different runs, run `dvc repro`")
            picture.boxes_xyxy_px[row["anchor_id"]] = row["box_xyxy_px"]
            picture.labels[row["anchor_id"]] = row["label"]
    return pictures


def _fingerprints(datasets: Sequence[str], order: Sequence[str], workers: Workers) -> list[Fingerprint]:
    """Fingerprints of all pictures in the given order."""
    items = [
        (row["sample_id"], row["image"]) for dataset in datasets for row in iter_table(Path("data/samples") / dataset / "samples", Sample, columns=["sample_id", "image"])
    ]
    prints = {item.sample_id: item for item in ordered_map(fingerprint, items, workers, "fingerprints")}
    return [prints[sample_id] for sample_id in order]


def _patient(picture: Picture) -> Patient:
    return (picture.dataset, picture.patient_id)


def _picture_of(query: Query, pictures: dict[str, Picture]) -> Picture:
    if query.sample_id not in pictures:
        raise StageError(f"{query.query_id}: no dataset of params.yaml holds its sample {query.sample_id!r}: run `dvc repro`")
    return pictures[query.sample_id]


def _figures(examples: Sequence[Example], pictures: Sequence[Picture], division: Division) -> dict[str, Any]:
    """Metrics; leakage is counted anew on the finished split, and a patient in two splits stops the stage."""
    seen: dict[Patient, set[str]] = {}
    for example in examples:
        seen.setdefault((example.dataset, example.patient_id), set()).add(example.split)
    shared = sorted(patient for patient, splits in seen.items() if len(splits) > 1)
    if shared:
        raise StageError(f"{len(shared)} patients stand in two splits, the first is {'/'.join(shared[0])}: nothing was written")
    splits = [division.split_of[_patient(picture)] for picture in pictures]
    patients = Counter(split for splits_seen in seen.values() for split in splits_seen)
    counted = Counter(example.split for example in examples)
    found = division.duplicates
    for split in SPLITS:
        if examples and not counted[split]:
            log.warning("split: no example is in %s; with few patients, shares of 0 or much held out as unseen that can be wanted", split)
    return {
        "patients": {split: patients[split] for split in SPLITS},
        "examples": {split: counted[split] for split in SPLITS},
        "unseen": sum(example.unseen for example in examples),
        "leakage": {
            "patients": len(shared),
            "exact": _across(found.exact, splits),
            "perceptual": _across(found.perceptual, splits),
            **shared_texts(examples),
        },
        "duplicates": {
            "exact": len(found.exact),
            "perceptual": len(found.perceptual),
            "hash_collisions": len(found.collisions),
            "joined_groups": division.joined_groups,
            "joined_patients": division.joined_patients,
        },
    }


def _across(pairs: Sequence[tuple[int, int]], splits: Sequence[str]) -> int:
    """Number of pairs whose pictures lie in different splits."""
    return sum(splits[i] != splits[j] for i, j in pairs)


def _write_images(datasets: Sequence[str], used: set[str]) -> None:
    """Each used picture once."""
    columns = ["sample_id", "image", "width", "height"]
    rows = (CorpusImage(**row) for dataset in datasets for row in iter_table(Path("data/samples") / dataset / "samples", Sample, columns=columns) if row["sample_id"] in used)
    write_table("data/corpus/images", CorpusImage, rows)


if __name__ == "__main__":
    main()
