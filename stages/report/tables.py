"""What the page reads: every table without its pictures, and the metrics of the evaluation.

Datasets come from params.yaml, never from what lies in a folder: a dropped dataset may lie there still.
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
CONTENDERS = ("base", "tuned", "control")
BASELINES = ("centre", "random")
FATES = ("accepted", "rejected", "undecided")


@dataclass(frozen=True)
class World:
    """All tables of one run. ``samples`` and ``anchors`` are frames indexed by id.

    ``unread`` holds what ingestion could not read, per dataset; ``errors`` the items that later stages could not use.
    """

    samples: pd.DataFrame
    anchors: pd.DataFrame
    unread: dict[str, list[ItemError]]
    errors: list[ItemError]
    n_queries: int
    queries: dict[str, list[Query]]
    verdicts: pd.DataFrame
    examples: list[Example]
    predictions: dict[str, dict[str, Prediction]]
    scores: dict[str, dict[str, Score]]
    figures: dict[str, Any]
    split: dict[str, Any]
    language: dict[str, Any]
    audit: dict[str, Any]
    texts: list[dict[str, str]]
    table: list[dict[str, str]]
    slices: list[dict[str, str]]
    curve: list[dict[str, str]]


def load_world(datasets: Sequence[str]) -> World:
    """Read everything but the pictures.

    Raises:
        StageError: a metrics file is missing or damaged.
        FileNotFoundError: a table is missing; the message names its folder.
    """
    return World(
        samples=_frame([f"data/samples/{name}/samples" for name in datasets], SAMPLE_COLUMNS),
        anchors=_frame([f"data/anchors/{name}/anchors" for name in datasets], ANCHOR_COLUMNS),
        unread={name: _errors(f"data/samples/{name}") for name in datasets},
        errors=[error for folder in _later_stages(datasets) for error in _errors(folder)],
        n_queries=len(read_frame("data/queries/queries", ["query_id"])),
        queries={fate: read_table(f"data/verified/{fate}", Query) for fate in FATES},
        verdicts=read_frame("data/verified/verdicts"),
        examples=read_table("data/corpus/examples", Example),
        predictions={name: _by_id([row for row in read_table(f"data/predictions/{name}", Prediction) if not row.probe]) for name in CONTENDERS},
        scores={name: _by_id(read_table(f"data/scores/{name}", Score)) for name in CONTENDERS},
        figures=_metrics("evaluate"),
        split=_metrics("split"),
        language=_metrics("generate"),
        audit=_metrics("audit"),
        texts=_plot("generate_samples"),
        table=_plot("evaluate_table"),
        slices=_plot("evaluate_slices"),
        curve=_plot("evaluate_iou_curve"),
    )


def _frame(folders: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    frames = [read_frame(folder, list(columns)) for folder in folders]
    return pd.concat(frames, ignore_index=True).set_index(columns[0], drop=False)


def _later_stages(datasets: Sequence[str]) -> list[str]:
    return [*[f"data/anchors/{name}" for name in datasets], "data/queries", "data/verified"]


def _errors(folder: str) -> list[ItemError]:
    """The errors table of a stage's out; a stage without one had no errors to tell."""
    path = Path(folder, "errors")
    return read_table(path, ItemError) if path.exists() else []


def _by_id(rows: list[Any]) -> dict[str, Any]:
    return {row.example_id: row for row in rows}


def _metrics(name: str) -> dict[str, Any]:
    path = Path(f"metrics/{name}.json")
    if not path.exists():
        raise StageError(f"{path} not found: run `dvc repro {name}` first")
    return json.loads(path.read_text(encoding="utf-8"))


def _plot(name: str) -> list[dict[str, str]]:
    path = Path(f"metrics/plots/{name}.csv")
    if not path.exists():
        raise StageError(f"{path} not found: run `dvc repro {name.split('_')[0]}` first")
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))
