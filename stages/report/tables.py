"""What the page reads: every table without its pictures, the metrics, and the tables of the evaluation.

Datasets come from params.yaml, never from what lies in a folder: a dropped dataset may lie there still. Contenders are
those that the evaluation has scored.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.core.records import Example, ItemError, Prediction, Query, Score
from stages.core.shards import read_frame, read_table
from stages.core.stage import StageError

SAMPLE_COLUMNS = (
    "sample_id", "dataset", "case_id", "patient_id", "modality", "body_part", "plane", "slice_index", "width", "height",
    "image_left_is", "licence", "flags",
)  # fmt: skip
ANCHOR_COLUMNS = ("anchor_id", "sample_id", "label", "kind", "box_xyxy_px", "fraction_of_image")
TRIAL_COLUMNS = (
    "trial_id", "fault", "group", "dataset", "modality", "sample_id", "text", "target_ids", "laid", "patch", "fate", "check", "reason",
    "evidence",
)  # fmt: skip
FATES = ("accepted", "rejected", "undecided")
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Results:
    """The tables of the evaluation under metrics/plots, as they stand there; ``baselines`` answer without looking."""

    baselines: list[str]
    table: Rows
    suites: Rows
    pairs: Rows
    slices: Rows
    curve: Rows
    precision: Rows
    reliability: Rows
    risk: Rows
    outcomes: Rows

    @property
    def contenders(self) -> list[str]:
        """Everything that was scored, in the order of the table."""
        return list(dict.fromkeys(row["contender"] for row in self.table))

    @property
    def models(self) -> list[str]:
        """The contenders that have answers of their own."""
        return [name for name in self.contenders if name not in self.baselines]


@dataclass(frozen=True)
class World:
    """All tables of one run. ``samples`` and ``anchors`` are frames indexed by id.

    ``unread`` holds what ingestion could not read, per dataset; ``errors`` the items that later stages could not use.
    ``trials``: planted faults, caught and missed. ``review`` and ``codecs`` are empty where nobody has judged or measured.
    """

    samples: pd.DataFrame
    anchors: pd.DataFrame
    unread: dict[str, list[ItemError]]
    errors: list[ItemError]
    n_queries: int
    queries: dict[str, list[Query]]
    verdicts: pd.DataFrame
    trials: pd.DataFrame
    examples: list[Example]
    predictions: dict[str, dict[str, Prediction]]
    scores: dict[str, dict[str, Score]]
    results: Results
    split: dict[str, Any]
    language: dict[str, Any]
    audit: dict[str, Any]
    review: dict[str, Any]
    codecs: dict[str, Any]
    texts: Rows


def load_world(datasets: Sequence[str]) -> World:
    """Read everything but the pictures.

    Raises:
        StageError: a metrics file is missing or damaged.
        FileNotFoundError: a table is missing; the message names its folder.
    """
    results = load_results()
    return World(
        samples=_frame([f"data/samples/{name}/samples" for name in datasets], SAMPLE_COLUMNS),
        anchors=_frame([f"data/anchors/{name}/anchors" for name in datasets], ANCHOR_COLUMNS),
        unread={name: _errors(f"data/samples/{name}") for name in datasets},
        errors=[error for folder in _later_stages(datasets) for error in _errors(folder)],
        n_queries=len(read_frame("data/queries/queries", ["query_id"])),
        queries={fate: read_table(f"data/verified/{fate}", Query) for fate in FATES},
        verdicts=read_frame("data/verified/verdicts"),
        trials=pd.concat([read_frame(f"data/audit/{name}", list(TRIAL_COLUMNS)) for name in ("catches", "misses")], ignore_index=True),
        examples=read_table("data/corpus/examples", Example),
        predictions={name: _by_id([row for row in read_table(f"data/predictions/{name}", Prediction) if not row.probe]) for name in results.models},
        scores={name: _by_id(read_table(f"data/scores/{name}", Score)) for name in results.models},
        results=results,
        split=_metrics("split"),
        language=_metrics("generate"),
        audit=_metrics("audit"),
        review=_metrics_if_any("review"),
        codecs=_metrics_if_any("codecs"),
        texts=_plot("generate_samples"),
    )


def load_results() -> Results:
    """The tables of the evaluation.

    Raises:
        StageError: one is missing, or nothing was scored.
    """
    results = Results(
        baselines=list(_metrics("evaluate")["baseline"]),
        table=_plot("evaluate_table"),
        suites=_plot("evaluate_suites"),
        pairs=_plot("evaluate_pairs"),
        slices=_plot("evaluate_slices"),
        curve=_plot("evaluate_iou_curve"),
        precision=_plot("evaluate_ap"),
        reliability=_plot("evaluate_reliability"),
        risk=_plot("evaluate_risk"),
        outcomes=_plot("evaluate_outcomes"),
    )
    if not results.models:
        raise StageError("metrics/plots/evaluate_table.csv has no contender: run `dvc repro evaluate` first")
    return results


def _frame(folders: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    frames = [read_frame(folder, list(columns)) for folder in folders]
    return pd.concat(frames, ignore_index=True).set_index(columns[0], drop=False)


def _later_stages(datasets: Sequence[str]) -> list[str]:
    return [*[f"data/anchors/{name}" for name in datasets], "data/queries", "data/verified", "data/scores"]


def _errors(folder: str) -> list[ItemError]:
    """The errors table of a stage's out; a stage without one had no errors to tell."""
    path = Path(folder, "errors")
    return read_table(path, ItemError) if path.exists() else []


def _by_id(rows: list[Any]) -> dict[str, Any]:
    return {row.example_id: row for row in rows}


def _metrics(name: str) -> dict[str, Any]:
    if not Path(f"metrics/{name}.json").exists():
        raise StageError(f"metrics/{name}.json not found: run `dvc repro {name}` first")
    return _metrics_if_any(name)


def _metrics_if_any(name: str) -> dict[str, Any]:
    path = Path(f"metrics/{name}.json")
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StageError(f"{path} is no JSON ({error}): make it again, or restore it with git") from error


def _plot(name: str) -> Rows:
    path = Path(f"metrics/plots/{name}.csv")
    if not path.exists():
        raise StageError(f"{path} not found: run `dvc repro {name.split('_')[0]}` first")
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))
