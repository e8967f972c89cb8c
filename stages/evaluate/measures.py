"""From scores to figures: contenders, gains, slices, the curve over thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.records import Example, Score
from stages.core.stage import seed_for
from stages.evaluate.bootstrap import Estimate, estimate_columns, widen_unanimous

MULTI = "multi_object_"
THRESHOLDS = [step / 100 for step in range(5, 100, 5)]
GAINS = (("tuned", "base"), ("tuned", "control"))
# "size_bin" of the examples, in this order; other names follow alphabetically.
SLICE_ORDER = ("tiny", "small", "medium", "large", "none", "single", "multi", "name")


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: number of draws, coverage, seed of the run."""

    draws: int
    confidence: float
    seed: int

    def estimate(self, values: np.ndarray, patients: Sequence[str], name: str, bounds: tuple[float, float] = (0.0, 1.0)) -> list[Estimate]:
        """Estimates of the columns of ``values`` (examples, columns); draws are seeded by ``name``, so one name is paired."""
        return estimate_columns(values, patients, self.draws, self.confidence, seed_for(self.seed, "bootstrap", name), bounds)


def is_multi_object(score: Score) -> bool:
    """Whether the class of the target occurs several times in the image, so that its name alone does not single it out."""
    return score.n_same_label >= 2 and score.kind in ("single", "multi")


def contender_table(scores: dict[str, list[Score]], bootstrap: Bootstrap) -> dict[str, dict[str, Estimate]]:
    """Measure -> estimate per contender. ``scores`` lists the same examples in the same order for each."""
    everything = _estimates(scores, bootstrap, "all", ("miou", "acc_at_50", "parse_failure_rate"))
    chosen = {name: [score for score in rows if is_multi_object(score)] for name, rows in scores.items()}
    subset = _estimates(chosen, bootstrap, "multi_object", ("miou", "acc_at_50"))
    return {
        name: {
            "miou": everything[name]["miou"],
            "acc_at_50": everything[name]["acc_at_50"],
            f"{MULTI}miou": subset[name]["miou"],
            f"{MULTI}acc_at_50": subset[name]["acc_at_50"],
            "parse_failure_rate": everything[name]["parse_failure_rate"],
        }
        for name in scores
    }


def _estimates(scores: dict[str, list[Score]], bootstrap: Bootstrap, name: str, measures: Sequence[str]) -> dict[str, dict[str, Estimate]]:
    """All contenders and measures side by side, so that they share the draws."""
    columns = [(contender, measure) for contender in scores for measure in measures]
    values = np.array([[_value(score, measure) for score in scores[contender]] for contender, measure in columns]).T
    patients = [score.patient_id for score in next(iter(scores.values()))]
    found = bootstrap.estimate(values.reshape(len(patients), len(columns)), patients, name)
    table: dict[str, dict[str, Estimate]] = {contender: {} for contender in scores}
    for (contender, measure), estimate in zip(columns, found, strict=True):
        binary = measure != "miou"
        table[contender][measure] = widen_unanimous(estimate, bootstrap.confidence) if binary else estimate
    return table


def _value(score: Score, measure: str) -> float:
    return {"miou": score.iou, "acc_at_50": float(score.hit_at_50), "parse_failure_rate": float(score.parse_failed)}[measure]


def paired_gains(scores: dict[str, list[Score]], bootstrap: Bootstrap) -> dict[str, dict[str, Estimate]]:
    """Differences of Acc@0.5 between contenders on the same examples, under the same draws; GAINS whose two sides ran."""
    gains: dict[str, dict[str, Estimate]] = {}
    for better, other in GAINS:
        if better not in scores or other not in scores:
            continue
        pairs = list(zip(scores[better], scores[other], strict=True))
        gains[f"{better}_minus_{other}"] = {
            "acc_at_50": _difference(pairs, bootstrap, "all"),
            f"{MULTI}acc_at_50": _difference([pair for pair in pairs if is_multi_object(pair[0])], bootstrap, "multi_object"),
        }
    return gains


def _difference(pairs: list[tuple[Score, Score]], bootstrap: Bootstrap, name: str) -> Estimate:
    values = np.array([float(a.hit_at_50) - float(b.hit_at_50) for a, b in pairs]).reshape(-1, 1)
    return bootstrap.estimate(values, [a.patient_id for a, _ in pairs], name, (-1.0, 1.0))[0]


def slices_of(example: Example) -> list[tuple[str, str]]:
    """The (slice kind, slice) pairs that an example belongs to; several of kind "claim"."""
    siblings = str(example.n_same_label) if example.n_same_label < 4 else "4 or more"
    return [
        ("modality", example.modality),
        ("dataset", example.dataset),
        ("size", example.size_bin),
        ("query", example.kind),
        ("objects of the class", siblings),
        *[("claim", kind) for kind in sorted(set(example.claim_kinds)) or ["no claim"]],
    ]


@dataclass(frozen=True)
class SliceRow:
    """Acc@0.5 of one contender on one slice."""

    slice_kind: str
    slice: str
    contender: str
    acc_at_50: Estimate


def slice_table(examples: Sequence[Example], scores: dict[str, list[Score]], bootstrap: Bootstrap) -> list[SliceRow]:
    """Acc@0.5 per slice and contender; ``examples`` in the order of the scores."""
    members: dict[tuple[str, str], list[int]] = {}
    for index, example in enumerate(examples):
        for key in slices_of(example):
            members.setdefault(key, []).append(index)
    rows = []
    for kind, value in sorted(members, key=_slice_key):
        chosen = {name: [listed[index] for index in members[kind, value]] for name, listed in scores.items()}
        found = _estimates(chosen, bootstrap, f"{kind}={value}", ("acc_at_50",))
        rows += [SliceRow(kind, value, name, found[name]["acc_at_50"]) for name in scores]
    return rows


def _slice_key(key: tuple[str, str]) -> tuple[str, int, str]:
    kind, value = key
    return kind, SLICE_ORDER.index(value) if value in SLICE_ORDER else len(SLICE_ORDER), value


def threshold_curve(scores: Sequence[Score]) -> list[tuple[float, float]]:
    """Share of the answers that are right as a whole at each IoU threshold of .05, .10, ... .95."""
    floors = np.array([score.floor_iou for score in scores])
    return [(threshold, float((floors >= threshold).mean())) for threshold in THRESHOLDS]


def metrics_of(table: dict[str, dict[str, Estimate]], gains: dict[str, dict[str, Estimate]], baselines: Sequence[str]) -> dict[str, object]:
    """The content of metrics/evaluate.json; finite numbers only, few of them (the rest is in metrics/plots)."""
    accuracies = ("acc_at_50", f"{MULTI}acc_at_50")
    figures: dict[str, object] = {"n_multi": next(iter(table.values()))[accuracies[1]].n}
    for contender, row in table.items():
        if contender not in baselines:
            listed = ("miou", *accuracies, "parse_failure_rate")
            figures[contender] = {"n": row["miou"].n, **{measure: row[measure].value for measure in listed}}
    figures["gain"] = {
        pair: {measure: {"diff": gain.value, "low": gain.low, "high": gain.high} for measure, gain in row.items()}
        for pair, row in gains.items()
    }
    figures["baseline"] = {name: {measure: table[name][measure].value for measure in accuracies} for name in baselines}
    return figures
