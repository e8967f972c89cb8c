"""The CSV files under metrics/plots, and the contenders' table that is printed from them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from stages.core.records import Score
from stages.core.stage import StageError
from stages.evaluate.bootstrap import Estimate
from stages.evaluate.measures import SliceRow, threshold_curve

TABLE = Path("metrics/plots/evaluate_table.csv")
SLICES = Path("metrics/plots/evaluate_slices.csv")
CURVE = Path("metrics/plots/evaluate_iou_curve.csv")
METRICS = Path("metrics/evaluate.json")
TITLES = {
    "miou": "mean IoU",
    "acc_at_50": "Acc@0.5",
    "multi_object_miou": "mean IoU, several of the class",
    "multi_object_acc_at_50": "Acc@0.5, several of the class",
    "parse_failure_rate": "parse failures",
}


def write_table_csv(table: dict[str, dict[str, Estimate]]) -> None:
    """One row per contender and measure."""
    rows = [(name, measure, *_cells(estimate)) for name, row in table.items() for measure, estimate in row.items()]
    _write(TABLE, ("contender", "measure", "value", "low", "high", "n", "patients"), rows)


def write_slices_csv(rows: Iterable[SliceRow]) -> None:
    """One row per slice and contender."""
    names = ("slice_kind", "slice", "contender", "acc_at_50", "low", "high", "n", "patients")
    _write(SLICES, names, [(row.slice_kind, row.slice, row.contender, *_cells(row.acc_at_50)) for row in rows])


def write_curve_csv(scores: dict[str, list[Score]]) -> None:
    """One row per contender and IoU threshold."""
    rows = [(name, f"{at:.2f}", _number(share)) for name, listed in scores.items() for at, share in threshold_curve(listed)]
    _write(CURVE, ("contender", "threshold", "share"), rows)


def _cells(estimate: Estimate) -> tuple[str, str, str, int, int]:
    return _number(estimate.value), _number(estimate.low), _number(estimate.high), estimate.n, estimate.patients


def _number(value: float) -> str:
    return f"{value:.6f}"


def _write(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


def printed_table(markdown: bool) -> str:
    """Contenders with intervals, then the gains, from the tracked files; GitHub Markdown or aligned columns.

    Raises:
        StageError: a file is missing, or lacks what it should hold.
    """
    for path in (METRICS, TABLE):
        if not path.exists():
            raise StageError(f"{path} not found: run `dvc repro evaluate` first, or check the tracked file out")
    with TABLE.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    figures = json.loads(METRICS.read_text(encoding="utf-8"))
    contenders = list(dict.fromkeys(row["contender"] for row in rows))
    cells = {(row["contender"], row["measure"]): _interval(row["value"], row["low"], row["high"]) for row in rows}
    counts = {row["measure"]: row["n"] for row in rows}
    head = ["", *[f"{title} (n={counts[key]})" if "miou" not in key else title for key, title in TITLES.items() if key in counts]]
    body = [[name, *[cells[name, key] for key in TITLES if key in counts]] for name in contenders]
    gains = [
        [pair.replace("_minus_", " - "), *[_signed(row[key]) for key in ("acc_at_50", "multi_object_acc_at_50")]]
        for pair, row in figures["gain"].items()
    ]
    gain_head = ["paired difference", TITLES["acc_at_50"], TITLES["multi_object_acc_at_50"]]
    lay_out = _markdown if markdown else _aligned
    return "\n".join([lay_out(head, body), "", lay_out(gain_head, gains)])


def _interval(value: str, low: str, high: str) -> str:
    return f"{float(value):.3f} [{float(low):.3f}, {float(high):.3f}]"


def _signed(gain: dict[str, float]) -> str:
    return f"{gain['diff']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"


def _markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _aligned(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in [head, *body]) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *body]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
