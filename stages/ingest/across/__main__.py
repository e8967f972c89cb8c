"""``python -m stages.ingest.across``: totals over the ingested datasets, and pictures that two of them share.

Public sets borrow from each other. A picture that stands in two of them is no new evidence, and a split that does not
know of it leaks; ``split`` keeps such pictures together, this stage lists them by id.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.core.duplicates import Fingerprint, fingerprint, hash_pairs, likeness, same_picture
from stages.core.parallel import Workers, ordered_map
from stages.core.params import Params, require
from stages.core.records import Sample
from stages.core.shards import iter_table, shard_paths
from stages.core.stage import run_stage

METRICS = "metrics/ingest/across.json"
PLOT = Path("metrics/plots/ingest_duplicates.csv")
COLUMNS = ("kind", "sample_a", "sample_b", "correlation")


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two samples of different datasets: ``kind`` is exact (equal pixels) or near; rank correlation of their thumbnails."""

    kind: str
    sample_a: str
    sample_b: str
    correlation: float


def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python -m stages.ingest.across", description=__doc__).parse_args()
    run_stage("ingest_across", across, METRICS)


def across(params: Params) -> dict[str, Any]:
    """Write the list of shared pictures as a CSV plot and return the totals."""
    bits = params.ingest.near_duplicate_bits
    require(0 <= bits <= 64, "ingest.near_duplicate_bits", "a number of bits from 0 to 64", bits)
    datasets = sorted(params.datasets)
    pairs, collisions = shared_pictures(datasets, bits, params.engine)
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    with PLOT.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([pair.kind, pair.sample_a, pair.sample_b, f"{pair.correlation:.4f}"] for pair in pairs)
    kinds = Counter(pair.kind for pair in pairs)
    duplicates = {"exact": kinds["exact"], "near": kinds["near"], "hash_collisions": collisions}
    return {**totals(datasets), "duplicates": duplicates}


def totals(datasets: Iterable[str]) -> dict[str, Any]:
    """Images, objects and patients of all datasets, and by modality."""
    images: Counter[str] = Counter()
    objects: Counter[str] = Counter()
    sets: dict[str, set[str]] = {}
    patients: set[tuple[str, str]] = set()
    columns = ["dataset", "patient_id", "modality", "objects"]
    names = list(datasets)
    for dataset in names:
        for row in iter_table(_samples(dataset), Sample, columns=columns):
            modality = row["modality"]
            images[modality] += 1
            objects[modality] += len(row["objects"])
            sets.setdefault(modality, set()).add(dataset)
            patients.add((dataset, row["patient_id"]))
    return {
        "datasets": len(names),
        "images": images.total(),
        "objects": objects.total(),
        "patients": len(patients),
        "modality": {name: {"datasets": len(sets[name]), "images": images[name], "objects": objects[name]} for name in sorted(images)},
    }


def shared_pictures(datasets: Sequence[str], bits: int, workers: Workers) -> tuple[list[Pair], int]:
    """Pairs of pictures of different datasets that are equal or nearly so, in order, and how many pairs only collide in the hash."""
    jobs: list[tuple[Path, frozenset[str] | None]] = [(path.resolve(), None) for dataset in datasets for path in shard_paths(_samples(dataset))]
    prints = [item for shard in ordered_map(shard_prints, jobs, workers, "perceptual hashes") for item in shard]
    owners = [item.sample_id.split("/")[0] for item in prints]
    candidates = hash_pairs([item.perceptual for item in prints], owners, bits)
    wanted = frozenset(prints[index].sample_id for pair in candidates for index in pair)
    closer = ordered_map(shard_prints, [(path, wanted) for path, _ in jobs], workers, "thumbnails") if wanted else []
    whole = {item.sample_id: item for shard in closer for item in shard}
    pairs = []
    for i, j in candidates:
        a, b = sorted((prints[i], prints[j]), key=lambda item: item.sample_id)
        first, second = whole[a.sample_id], whole[b.sample_id]
        if a.exact == b.exact or same_picture(first, second):
            pairs.append(Pair("exact" if a.exact == b.exact else "near", a.sample_id, b.sample_id, likeness(first, second)))
    return sorted(pairs, key=lambda pair: (pair.sample_a, pair.sample_b)), len(candidates) - len(pairs)


def shard_prints(job: tuple[Path, frozenset[str] | None]) -> list[Fingerprint]:
    """Fingerprints of a shard: those of the wanted samples, or (None) of all, then without the thumbnails, which are large."""
    path, wanted = job
    import pyarrow.parquet as pq

    found = []
    for row in pq.read_table(path, columns=["sample_id", "image"]).to_pylist():
        if wanted is None:
            found.append(dataclasses.replace(fingerprint((row["sample_id"], row["image"])), thumbnail=np.empty(0, np.uint8)))
        elif row["sample_id"] in wanted:
            found.append(fingerprint((row["sample_id"], row["image"])))
    return found


def _samples(dataset: str) -> Path:
    return Path("data/samples") / dataset / "samples"


if __name__ == "__main__":
    main()
