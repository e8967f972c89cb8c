"""Tables of the evaluation, arranged for the page: one line a contender, suite or pair. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stages.report.tables import Results, Rows

# Names of measures for people; a measure that is not here reads as its key with spaces.
MEASURES = {
    "miou": "mean IoU",
    "acc_at_50": "Acc@0.5",
    "multi_object_miou": "mean IoU, several of the class",
    "multi_object_acc_at_50": "Acc@0.5, several of the class",
    "parse_failure_rate": "parse failures",
    "acc_at_25": "Acc@0.25",
    "acc_at_75": "Acc@0.75",
    "acc_at_50_95": "Acc@0.5:0.95",
    "giou": "mean GIoU",
    "f1": "F1",
    "no_target_acc": "right where nothing is there",
    "distance_mm": "distance of the middles, mm",
    "steered_rate": "answers that the constraint changed",
    "plain_acc_at_50": "Acc@0.5 of the plain question",
}
# What the first table shows; everything else stands in the second.
LEADING = ("miou", "acc_at_50", "multi_object_miou", "multi_object_acc_at_50", "parse_failure_rate")


@dataclass(frozen=True)
class Cell:
    """A figure with its interval; ``n`` examples. A measure over nothing has n 0."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Line:
    """A row of a table: a name and one cell (or none) per column."""

    name: str
    cells: list[Cell | None]
    quiet: bool = False


@dataclass(frozen=True)
class Difference:
    """A paired difference; ``told`` is whether its interval leaves out 0."""

    pair: str
    measure: str
    cell: Cell
    resolvable: float
    told: bool


@dataclass(frozen=True)
class Suite:
    """A suite with a line per contender; ``note`` says why there is none."""

    name: str
    n: int
    measures: list[str]
    lines: list[Line]
    note: str


def title(measure: str) -> str:
    """What people call a measure."""
    return MEASURES.get(measure, measure.replace("_", " "))


def cell(row: dict[str, str], value: str = "value") -> Cell | None:
    """The figure of a CSV row, None where there is no example to have one."""
    if not row[value] or not int(row["n"]):
        return None
    return Cell(float(row[value]), float(row["low"]), float(row["high"]), int(row["n"]))


def contender_lines(results: Results, measures: Sequence[str]) -> list[Line]:
    """One line per contender, those that answer without looking last."""
    found = {(row["contender"], row["measure"]): cell(row) for row in results.table}
    names = [*results.models, *(name for name in results.contenders if name in results.baselines)]
    return [Line(name, [found.get((name, measure)) for measure in measures], name in results.baselines) for name in names]


def measures_of(rows: Rows) -> list[str]:
    """The measures of a table, in its order."""
    return list(dict.fromkeys(row["measure"] for row in rows))


def suites(results: Results) -> list[Suite]:
    """Every suite in the order of its table."""
    found = []
    for name in dict.fromkeys(row["suite"] for row in results.suites):
        own = [row for row in results.suites if row["suite"] == name]
        measures = measures_of(own)
        cells = {(row["contender"], row["measure"]): cell(row) for row in own}
        scored = [contender for contender in dict.fromkeys(row["contender"] for row in own) if any(cells.get((contender, key)) for key in measures)]
        lines = [Line(contender, [cells.get((contender, key)) for key in measures], contender in results.baselines) for contender in scored]
        note = "" if lines else next((row["note"] for row in own if row["note"]), "no example")
        found.append(Suite(name, max((int(row["n"]) for row in own), default=0), measures, lines, note))
    return found


def pair_rows(results: Results) -> list[Difference]:
    """One row per pair of contenders and measure, with the smallest difference that the test set can resolve."""
    rows = [(row, cell(row, "diff")) for row in results.pairs]
    return [
        Difference(f"{row['first']} − {row['second']}", title(row["measure"]), found, float(row["resolvable"]), found.low > 0 or found.high < 0)
        for row, found in rows
        if found is not None
    ]


@dataclass(frozen=True)
class Precision:
    """AP or AP50 of a contender, a cell per group of examples."""

    name: str
    measure: str
    cells: list[Cell | None]
    quiet: bool


def precision_lines(results: Results) -> tuple[list[str], list[Precision]]:
    """Groups (all, several of the class, each modality), and per contender a line of AP and one of AP50."""
    groups = list(dict.fromkeys(row["group"] for row in results.precision))
    rows = {(row["contender"], row["group"]): row for row in results.precision}
    lines = [
        Precision(name, title, [ranged(rows[name, group], key, "targets") if (name, group) in rows else None for group in groups], name in results.baselines)
        for name in dict.fromkeys(row["contender"] for row in results.precision)
        for key, title in (("ap", "AP"), ("ap50", "AP50"))
    ]
    return groups, lines


def ranged(row: dict[str, str], key: str, count: str = "n") -> Cell | None:
    """The figure of a CSV row whose interval stands in ``<key>_low`` and ``<key>_high``; None over nothing."""
    if not int(row[count]):
        return None
    return Cell(float(row[key]), float(row[f"{key}_low"]), float(row[f"{key}_high"]), int(row[count]))


def outcome_lines(results: Results) -> tuple[list[str], list[dict[str, Any]]]:
    """Parse outcomes that occur, and per contender (count, share); what an import found wrong with its lines stands in ``faults``."""
    answers = [row for row in results.outcomes if row["of"] == "answer"]
    outcomes = sorted({row["outcome"] for row in answers}, key=lambda name: (name not in ("ok", "none", "repaired"), name))
    lines = []
    for name in results.models:
        own = {row["outcome"]: (int(row["n"]), float(row["share"])) for row in answers if row["contender"] == name}
        faults = [f"{row['n']} {row['outcome'].replace('_', ' ')} ({row['of']}s)" for row in results.outcomes if row["contender"] == name and row["of"] != "answer"]
        lines.append({"name": name, "cells": [own.get(outcome) for outcome in outcomes], "faults": ", ".join(faults)})
    return outcomes, lines


def calibration_errors(results: Results) -> dict[str, Cell | None]:
    """Expected calibration error per contender that states a confidence."""
    return {row["contender"]: ranged(row, "ece") for row in results.reliability}
