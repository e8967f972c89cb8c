"""What the stage writes: metrics/evaluate.json, few figures; everything finer as CSV under metrics/plots."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stages.core.records import Score
from stages.evaluate.answers import Contender
from stages.evaluate.bootstrap import Bootstrap, Estimate, resolvable
from stages.evaluate.calibration import calibration_error, certain_answers, reliability, risk_coverage
from stages.evaluate.measures import GAINS, MAIN, Pair, Table, threshold_curve
from stages.evaluate.precision import PrecisionRow
from stages.evaluate.slices import SliceRow
from stages.evaluate.suites import SuiteRow

FOLDER = Path("metrics")
METRICS = FOLDER / "evaluate.json"
PLOTS = FOLDER / "plots"
TABLE = PLOTS / "evaluate_table.csv"
SUITES = PLOTS / "evaluate_suites.csv"
PAIRS = PLOTS / "evaluate_pairs.csv"
SLICES = PLOTS / "evaluate_slices.csv"
CURVE = PLOTS / "evaluate_iou_curve.csv"
PRECISION = PLOTS / "evaluate_ap.csv"
RELIABILITY = PLOTS / "evaluate_reliability.csv"
RISK = PLOTS / "evaluate_risk.csv"
OUTCOMES = PLOTS / "evaluate_outcomes.csv"
INTERVAL = ("value", "low", "high", "n", "patients")


def metrics_of(table: Table, pairs: Sequence[Pair], suites: Sequence[SuiteRow], baselines: Sequence[str], confidence: float) -> dict[str, object]:
    """The content of metrics/evaluate.json; finite numbers only, few of them.

    ``unseen`` is there only where something is held out. ``resolvable_acc_at_50``: the smallest difference that the test can tell,
    by the widest difference between two contenders.
    """
    figures: dict[str, object] = {"n_multi": next(iter(table.values()))[MAIN[1]].n}
    for contender, row in table.items():
        if contender not in baselines:
            listed = ("miou", *MAIN, "parse_failure_rate")
            figures[contender] = {"n": row["miou"].n, **{measure: row[measure].value for measure in listed}}
    gains: dict[str, dict[str, dict[str, float]]] = {}
    for pair in pairs:
        if (pair.first, pair.second) in GAINS and pair.measure in MAIN:
            found = pair.difference
            gains.setdefault(f"{pair.first}_minus_{pair.second}", {})[pair.measure] = {"diff": found.value, "low": found.low, "high": found.high}
    figures["gain"] = gains
    figures["baseline"] = {name: {"acc_at_50": table[name]["acc_at_50"].value} for name in baselines if name in table}
    told = [resolvable(pair.difference, confidence) for pair in pairs if pair.measure == "acc_at_50" and not {pair.first, pair.second} & set(baselines)]
    if told:
        figures["resolvable_acc_at_50"] = max(told)
    unseen = {row.contender: row.estimate.value for row in suites if row.suite == "unseen" and row.estimate.n and row.contender not in baselines}
    return {**figures, "unseen": unseen} if unseen else figures


def write_table(table: Table) -> None:
    """One row per contender and measure; a measure over no example has n 0."""
    _write(TABLE, ("contender", "measure", *INTERVAL), [(name, key, *_cells(found)) for name, row in table.items() for key, found in row.items()])


def write_suites(rows: Iterable[SuiteRow]) -> None:
    """One row per suite, contender and measure; no figures and a note where the suite has no example."""
    names = ("suite", "contender", "measure", *INTERVAL, "note")
    _write(SUITES, names, [(row.suite, row.contender, row.measure, *_cells_or_none(row.estimate), row.note) for row in rows])


def write_pairs(pairs: Iterable[Pair], confidence: float) -> None:
    """One row per pair of contenders and measure; ``resolvable`` is the smallest difference that the test can tell."""
    names = ("first", "second", "measure", "diff", "low", "high", "n", "patients", "resolvable")
    _write(
        PAIRS,
        names,
        [(one.first, one.second, one.measure, *_cells(one.difference), _number(resolvable(one.difference, confidence))) for one in pairs],
    )


def write_slices(rows: Iterable[SliceRow]) -> None:
    """One row per slice and contender. All are marked exploratory: many slices, no correction, found by looking."""
    names = ("slice_kind", "slice", "contender", "acc_at_50", "low", "high", "n", "patients", "status")
    _write(SLICES, names, [(row.slice_kind, row.slice, row.contender, *_cells(row.acc_at_50), "exploratory") for row in rows])


def write_curve(scores: Mapping[str, Sequence[Score]]) -> None:
    """One row per contender and IoU threshold."""
    rows = [(name, f"{at:.2f}", _number(share)) for name, listed in scores.items() for at, share in threshold_curve(listed)]
    _write(CURVE, ("contender", "threshold", "share"), rows)


def write_precision(rows: Iterable[PrecisionRow]) -> None:
    """One row per contender and group of examples (all, several of the class, each modality); ``draws`` made the intervals."""
    names = ("contender", "group", "ap", "ap_low", "ap_high", "ap50", "ap50_low", "ap50_high", "labels", "targets", "patients", "draws")
    _write(
        PRECISION,
        names,
        [(row.contender, row.group, *_cells(row.ap)[:3], *_cells(row.ap50)[:3], row.n_labels, row.n_targets, row.ap.patients, row.draws) for row in rows],
    )


def write_calibration(scores: Mapping[str, Sequence[Score]], bootstrap: Bootstrap) -> None:
    """Reliability per contender and bin, with the ECE of all its bins and its interval, and risk against coverage.

    Of the answers with a confidence; a contender without any has no row.
    """
    bins, curve = [], []
    for name, listed in scores.items():
        confidence, right = certain_answers(listed)
        error = _cells(calibration_error(listed, bootstrap))[:3] if len(confidence) else ()
        bins += [(name, f"{one.low:.1f}", f"{one.high:.1f}", one.n, _number(one.confidence), _number(one.accuracy), *error) for one in reliability(confidence, right) if one.n]
        curve += [(name, f"{coverage:.2f}", _number(risk), len(confidence)) for coverage, risk in risk_coverage(confidence, right)]
    _write(RELIABILITY, ("contender", "low", "high", "n", "confidence", "accuracy", "ece", "ece_low", "ece_high"), bins)
    _write(RISK, ("contender", "coverage", "risk", "n"), curve)


def write_outcomes(contenders: Sequence[Contender], imports: Mapping[str, Mapping[str, int]]) -> None:
    """How the answers of each contender were read (``of`` answer: all are in the denominator).

    Then what is wrong with its table's rows besides (``of`` row), and what its import found wrong with the lines (``of`` line).
    """
    rows: list[tuple[object, ...]] = []
    for contender in contenders:
        counts = Counter(score.outcome for score in contender.scores)
        rows += [(contender.name, "answer", name, count, _number(count / len(contender.scores))) for name, count in sorted(counts.items())]
        odd = Counter(error.kind for error in contender.errors if error.kind not in counts)
        rows += [(contender.name, "row", name, count, "") for name, count in sorted(odd.items())]
        rows += [(contender.name, "line", name, count, "") for name, count in imports.get(contender.name, {}).items()]
    _write(OUTCOMES, ("contender", "of", "outcome", "n", "share"), rows)


def _cells(estimate: Estimate) -> tuple[str, str, str, int, int]:
    return _number(estimate.value), _number(estimate.low), _number(estimate.high), estimate.n, estimate.patients


def _cells_or_none(estimate: Estimate) -> tuple[str, str, str, int, int]:
    return _cells(estimate) if estimate.n else ("", "", "", 0, 0)


def _number(value: float) -> str:
    return f"{value:.6f}"


def _write(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
