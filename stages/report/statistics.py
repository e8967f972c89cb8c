"""Counts for the page: sources, modalities, the funnel of the verification."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import pandas as pd

from stages.core.records import Example, ItemError
from stages.core.splits import SPLITS
from stages.report.tables import FATES, World

LABELS_SHOWN = 10
KINDS = ("single", "name", "multi", "none")
# How metrics/review.json names the agreement of one reviewer with the verification.
WITH_CASCADE = "cascade_"
CHECK_ORDER = ("format", "duplicates", "words", "claims", "priors", "evidence", "judge:endpoint", "judge:local", "judges")
# What several judges say together stands for what each of them says.
JUDGES, TOGETHER = ("evidence", "judge:endpoint", "judge:local"), "judges"


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
    """How many queries reached a check and how it judged them."""

    check: str
    reached: int
    passed: int
    rejected: int
    undecided: int


@dataclass(frozen=True)
class ReasonRow:
    """How many queries one reason kept out."""

    reason: str
    check: str
    fate: str
    queries: int


@dataclass(frozen=True)
class ErrorRow:
    """Items that a stage could not use, for one cause; ``example`` is the first of them."""

    stage: str
    kind: str
    items: int
    example: str


@dataclass(frozen=True)
class SheetRow:
    """What one split holds, or all of them."""

    split: str
    expressions: int
    pictures: int
    patients: int
    boxes: int
    kinds: dict[str, int]


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa between two who judged the same ``n`` queries."""

    who: str
    kappa: float
    n: int


def sources(world: World, datasets: Sequence[str]) -> list[Source]:
    """One row per dataset of params.yaml, in its order."""
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
                errors=len(world.unread[name]),
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
                patients=len(samples[["dataset", "patient_id"]].drop_duplicates()),
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


def sheet(examples: Sequence[Example]) -> list[SheetRow]:
    """The counts of the data sheet: a row per split, then their sum."""
    kinds = sorted({example.kind for example in examples}, key=lambda kind: (KINDS.index(kind) if kind in KINDS else len(KINDS), kind))
    rows = []
    for name, chosen in [*((split, [example for example in examples if example.split == split]) for split in SPLITS), ("all", list(examples))]:
        counts = Counter(example.kind for example in chosen)
        rows.append(
            SheetRow(
                split=name,
                expressions=len(chosen),
                pictures=len({example.sample_id for example in chosen}),
                patients=len({(example.dataset, example.patient_id) for example in chosen}),
                boxes=sum(len(example.boxes_xyxy_px) for example in chosen),
                kinds={kind: counts[kind] for kind in kinds},
            )
        )
    return rows


def agreement_rows(review: Mapping[str, Any]) -> list[Agreement]:
    """Kappas of a blind review: between reviewers first, then with the verification; empty where nobody has judged."""
    found = review.get("agreement", {})
    names = sorted(key.removeprefix(WITH_CASCADE) for key in found if key.startswith(WITH_CASCADE))
    pairs = {f"{first}_{second}": f"{first} and {second}" for first in names for second in names}
    cascade = {"cascade": "all together and the verification", **{f"{WITH_CASCADE}{name}": f"{name} and the verification" for name in names}}
    rows = [Agreement(cascade.get(key) or pairs.get(key, key.replace("_", " ")), cell["kappa"], cell["n"]) for key, cell in found.items()]
    return sorted(rows, key=lambda row: (row.who.endswith("the verification"), row.who))


def target_shares(examples: Sequence[Example]) -> list[float]:
    """Share of its image that each target box covers."""
    return [(box[2] - box[0]) * (box[3] - box[1]) / (example.width * example.height) for example in examples for box in example.boxes_xyxy_px]


def judged(verdicts: pd.DataFrame) -> pd.DataFrame:
    """The verdicts with a column ``fate``: accepted, rejected or undecided, of this check alone."""
    fate = verdicts["passed"].map({True: "accepted", False: "rejected"}).astype(object)
    return verdicts.assign(fate=fate.where(fate.notna(), "undecided"))


def funnel(verdicts: pd.DataFrame) -> list[CheckRow]:
    """One row per check, in the order in which queries pass them."""
    rows = []
    for check, own in judged(verdicts).groupby("check", sort=True):
        counts = Counter(own["fate"])
        rows.append(CheckRow(str(check), len(own), counts["accepted"], counts["rejected"], counts["undecided"]))
    return sorted(rows, key=lambda row: (-row.reached, check_rank(row.check), row.check))


def check_rank(check: str) -> int:
    """Place of a check in the cascade; unknown ones come last."""
    return CHECK_ORDER.index(check) if check in CHECK_ORDER else len(CHECK_ORDER)


def stops(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Verdicts that did not pass; per query the deciding one first: the one that rejected, else the first in the cascade."""
    against = judged(verdicts)
    outvoted = against["check"].isin(JUDGES) & against["query_id"].isin(against.loc[against["check"] == TOGETHER, "query_id"])
    against = against[(against["fate"] != "accepted") & ~outvoted]
    return against.assign(rank=against["check"].map(check_rank)).sort_values(["query_id", "fate", "rank"], kind="stable")


def reason_rows(verdicts: pd.DataFrame) -> list[ReasonRow]:
    """Deciding reasons of all queries that were not accepted, the frequent ones first."""
    deciding = stops(verdicts).drop_duplicates("query_id")
    counts = Counter(zip(deciding["reason"], deciding["check"], deciding["fate"], strict=True))
    return [ReasonRow(*key, count) for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def error_rows(errors: Sequence[ItemError]) -> list[ErrorRow]:
    """Item errors by stage and kind."""
    groups: dict[tuple[str, str], list[ItemError]] = {}
    for error in errors:
        groups.setdefault((error.stage, error.kind), []).append(error)
    return [ErrorRow(stage, kind, len(found), f"{found[0].file or found[0].item_id}: {found[0].cause}") for (stage, kind), found in sorted(groups.items())]
