"""The contenders' table, gains and suites, printed from the tracked files."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from stages.core.stage import StageError
from stages.evaluate.files import FOLDER, METRICS, PRECISION, RELIABILITY, SUITES, TABLE
from stages.evaluate.measures import MAIN, MEASURES

# What a reader would bet on, in this order.
SHOWN = ("miou", "acc_at_50", "pointing", "f1", "multi_object_miou", "multi_object_acc_at_50", "wrong_object_rate", "parse_failure_rate")
NOTHING = "-"


def printed_table(markdown: bool, metrics: Path = FOLDER) -> str:
    """Contenders with intervals, then the gains, from the tracked files under ``metrics``; GitHub Markdown or aligned columns.

    Raises:
        StageError: a file is missing.
    """
    figures, rows = json.loads(_existing(METRICS, metrics).read_text(encoding="utf-8")), _read(TABLE, metrics)
    contenders = list(dict.fromkeys(row["contender"] for row in rows))
    cells = {(row["contender"], row["measure"]): _interval(row) for row in rows}
    counts = {row["measure"]: row["n"] for row in rows}
    shown = [key for key in SHOWN if key in counts]
    head = ["", *[MEASURES[key].title if key.endswith("miou") else f"{MEASURES[key].title} (n={counts[key]})" for key in shown]]
    body = [[name, *[cells[name, key] for key in shown]] for name in contenders]
    gain_head = ["paired difference", *[MEASURES[key].title for key in MAIN]]
    gains = [[pair.replace("_minus_", " - "), *[_signed(row[key]) for key in MAIN]] for pair, row in figures["gain"].items()]
    parts = [lay_out(head, body, markdown), lay_out(gain_head, gains, markdown)]
    steered = [(row["contender"], float(row["value"])) for row in rows if row["measure"] == "steered_rate" and float(row["value"]) > 0]
    if steered:
        told = ", ".join(f"{name} {share:.3f}" for name, share in steered)
        parts.append(f"Decoding was constrained to boxes or 'none'; share of the answers in which that overruled the model: {told}.")
    if "resolvable_acc_at_50" in figures:
        parts.append(f"The smallest difference of Acc@0.5 that this test set resolves (80% power): {figures['resolvable_acc_at_50']:.3f}.")
    return "\n\n".join(parts)


def printed_suites(markdown: bool, metrics: Path = FOLDER) -> str:
    """The suites of all contenders, one line a measure, AP by modality, and the error of the confidences.

    Raises:
        StageError: a file is missing.
    """
    rows = _read(SUITES, metrics)
    contenders = list(dict.fromkeys(row["contender"] for row in rows))
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        line = lines.setdefault((row["suite"], row["measure"]), {"n": row["n"]})
        line[row["contender"]] = _interval(row)
        if row["note"]:
            line["n"] = f"0: {row['note']}"
    body = [[suite, measure, line["n"], *[line.get(name, NOTHING) for name in contenders]] for (suite, measure), line in lines.items()]
    parts = [lay_out(["suite", "measure", "n", *contenders], body, markdown), _precision(markdown, metrics)]
    if told := _calibration(metrics):
        parts.append(f"Expected calibration error of the confidences: {told}.")
    return "\n\n".join(parts)


def _precision(markdown: bool, metrics: Path) -> str:
    """AP and AP50 with intervals, a line each per contender."""
    rows = _read(PRECISION, metrics)
    groups = list(dict.fromkeys(row["group"] for row in rows))
    found = {(row["contender"], row["group"]): row for row in rows}
    body = [
        [name, title, *[_range(found[name, group], key) for group in groups]]
        for name in dict.fromkeys(row["contender"] for row in rows)
        for key, title in (("ap", "AP"), ("ap50", "AP50"))
    ]
    return lay_out(["average precision", "", *groups], body, markdown)


def _calibration(metrics: Path) -> str:
    """ECE with interval of each contender that states confidences."""
    errors = {row["contender"]: _range(row, "ece") for row in _read(RELIABILITY, metrics)}
    return ", ".join(f"{name} {told}" for name, told in errors.items())


def lay_out(head: Sequence[str], body: Sequence[Sequence[str]], markdown: bool) -> str:
    """A table as GitHub Markdown, or as aligned columns."""
    if markdown:
        return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *body])
    widths = [max(len(line[column]) for line in [head, *body]) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *body]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def signed(value: float, low: float, high: float) -> str:
    """A difference with its interval."""
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _existing(path: Path, metrics: Path) -> Path:
    """The file that stands in ``metrics`` where ``path`` stands in the folder of the latest run."""
    found = metrics / path.relative_to(FOLDER)
    if not found.exists():
        raise StageError(f"{found} not found: run `dvc repro evaluate` first, or check the tracked file out")
    return found


def _read(path: Path, metrics: Path) -> list[dict[str, str]]:
    with _existing(path, metrics).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _interval(row: dict[str, str]) -> str:
    if row["n"] == "0":
        return NOTHING
    return f"{float(row['value']):.3f} [{float(row['low']):.3f}, {float(row['high']):.3f}]"


def _range(row: dict[str, str], key: str) -> str:
    return f"{float(row[key]):.3f} [{float(row[f'{key}_low']):.3f}, {float(row[f'{key}_high']):.3f}]"


def _signed(gain: dict[str, float]) -> str:
    return signed(gain["diff"], gain["low"], gain["high"])
