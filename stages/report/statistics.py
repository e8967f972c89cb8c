"""Counts for the page: sources, modalities, the funnel of the verification."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import pandas as pd

from stages.report.tables import FATES, World

LABELS_SHOWN = 10
# Cheap checks come first; a check that is not named here follows in the order of how many queries reach it.
CHECK_ORDER = ("format", "claims", "geometry", "uniqueness", "priors", "prior", "evidence", "image")


@dataclass(frozen=True)
class Source:
    """One dataset as it ran."""

    name: str
    licences: str
    modalities: str
    patients: int
    images: int
    sides: str
    errors: int


@dataclass(frozen=True)
class ModalityRow:
    """Corpus statistics of one modality. ``median_share`` is the median share of the image that a target's box covers."""

    modality: str
    datasets: int
    patients: int
    images: int
    anchors: int
    accepted: int
    queries: int
    train: int
    val: int
    test: int
    several: int
    median_share: float
    labels: list[tuple[str, int]]
    other_labels: int


@dataclass(frozen=True)
class CheckRow:
    """How many queries reached a check and how it judged them; ``reasons`` of rejections and of undecided ones, by count."""

    check: str
    reached: int
    passed: int
    rejected: int
    undecided: int
    reasons: list[tuple[str, str, int]]


def sources(world: World, datasets: Sequence[str]) -> list[Source]:
    """One row per dataset of params.yaml, in its order."""
    failed = Counter(error.item_id.split("/")[0] for error in world.errors)
    rows = []
    for name in datasets:
        own = world.samples[world.samples["dataset"] == name]
        known = int(own["image_left_is"].notna().sum())
        rows.append(
            Source(
                name=name,
                licences=_listed(own["licence"]),
                modalities=_listed(own["modality"]),
                patients=own["patient_id"].nunique(),
                images=len(own),
                sides="known" if known == len(own) else "unknown" if known == 0 else f"known in {known} of {len(own)}",
                errors=failed[name],
            )
        )
    return rows


def _listed(values: pd.Series) -> str:
    return ", ".join(sorted(set(values))) or "none"


def modality_rows(world: World) -> list[ModalityRow]:
    """Statistics per modality, in the order of their names."""
    modality_of = world.samples["modality"].to_dict()
    fates = {fate: Counter(modality_of.get(query.sample_id) for query in world.queries[fate]) for fate in FATES}
    rows = []
    for modality, samples in world.samples.groupby("modality", sort=True):
        anchors = world.anchors[world.anchors["sample_id"].isin(samples.index)]
        examples = [example for example in world.examples if example.modality == modality]
        splits = Counter(example.split for example in examples)
        labels = sorted(Counter(anchors["label"]).items(), key=lambda item: (-item[1], item[0]))
        rows.append(
            ModalityRow(
                modality=str(modality),
                datasets=samples["dataset"].nunique(),
                patients=samples["patient_id"].nunique(),
                images=len(samples),
                anchors=len(anchors),
                accepted=fates["accepted"][modality],
                queries=sum(counts[modality] for counts in fates.values()),
                train=splits["train"],
                val=splits["val"],
                test=splits["test"],
                several=sum(example.n_same_label >= 2 and example.kind in ("single", "multi") for example in examples),
                median_share=median(target_shares(examples) or [0.0]),
                labels=labels[:LABELS_SHOWN],
                other_labels=len(labels[LABELS_SHOWN:]),
            )
        )
    return rows


def target_shares(examples: Sequence) -> list[float]:
    """Share of its image that each target box covers."""
    return [
        (box[2] - box[0]) * (box[3] - box[1]) / (example.width * example.height) for example in examples for box in example.boxes_xyxy_px
    ]


def funnel(verdicts: pd.DataFrame) -> list[CheckRow]:
    """One row per check, in the order in which queries pass them."""
    rows = []
    for check, own in verdicts.groupby("check", sort=True):
        passed = sum(value is True or value == 1 for value in own["passed"] if value is not None and value == value)
        unknown = int(own["passed"].isna().sum())
        stopped = own[[value is None or value != value or not value for value in own["passed"]]]
        counts = Counter(
            ("undecided" if value is None or value != value else "rejected", reason)
            for value, reason in zip(stopped["passed"], stopped["reason"], strict=True)
        )
        reasons = [(fate, reason, count) for (fate, reason), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
        rows.append(CheckRow(str(check), len(own), passed, len(own) - passed - unknown, unknown, reasons))
    return sorted(rows, key=_place)


def _place(row: CheckRow) -> tuple[int, int, str]:
    named = [number for number, name in enumerate(CHECK_ORDER) if row.check.startswith(name)]
    return -row.reached, named[0] if named else len(CHECK_ORDER), row.check
