"""What is measured of an answer, and the contenders' table.

Every measure is a ratio of two sums over examples (``bootstrap.Ratio``); MEASURES says what is summed, with its source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.records import Score
from stages.evaluate.bootstrap import Bootstrap, Estimate, Patients, Ratio, differences, estimates

THRESHOLDS = [step / 100 for step in range(5, 100, 5)]
COCO_THRESHOLDS = [step / 100 for step in range(50, 100, 5)]
MAIN = ("acc_at_50", "multi_object_acc_at_50")
PAIRED = (*MAIN, "miou")
GAINS = (("tuned", "base"), ("tuned", "control"))
IMAGE_DIAGONAL_MM = 10_000.0


@dataclass(frozen=True)
class Measure:
    """One measure. ``meaning`` defines it; ``over`` is an example's part of the denominator (0: not about it), ``of`` of the numerator."""

    title: str
    meaning: str
    of: Callable[[Score], float]
    over: Callable[[Score], float] = lambda score: 1.0
    bounds: tuple[float, float] = (0.0, 1.0)
    share: bool = True


def is_multi_object(score: Score) -> bool:
    """Whether the class of the target occurs several times in the image, so that its name alone does not single it out."""
    return score.n_same_label >= 2 and score.kind in ("single", "multi")


def _with_target(score: Score) -> float:
    return float(score.n_targets > 0)


def _without_target(score: Score) -> float:
    return float(score.n_targets == 0)


def _several_targets(score: Score) -> float:
    return float(score.n_targets > 1)


def _mean_hit(score: Score) -> float:
    return sum(score.floor_iou >= threshold for threshold in COCO_THRESHOLDS) / len(COCO_THRESHOLDS)


MEASURES: dict[str, Measure] = {
    "miou": Measure(
        "mean IoU",
        "Mean over all answers of: sum of the IoUs (Jaccard, 1912) matched one to one (Kuhn, 1955) over the larger count of boxes; "
        "1 for a right 'nothing there' (as in gIoU of GREC, He et al., 2023).",
        lambda score: score.iou,
        share=False,
    ),
    "acc_at_50": Measure(
        "Acc@0.5",
        "Share of the answers that are right as a whole at an IoU of 0.5: as many boxes as targets, matched one to one (Acc@0.5 of "
        "referring expressions, Kazemzadeh et al., 2014; for several targets the exact-set accuracy of GREC).",
        lambda score: score.hit_at_50,
    ),
    "acc_at_25": Measure("Acc@0.25", "Acc@0.5 at an IoU of 0.25.", lambda score: score.floor_iou >= 0.25),
    "acc_at_75": Measure("Acc@0.75", "Acc@0.5 at an IoU of 0.75.", lambda score: score.floor_iou >= 0.75),
    "acc_at_50_95": Measure("Acc@0.5:0.95", "Mean of the accuracies at .50, .55, ... .95 (the thresholds of COCO, Lin et al., 2014).", _mean_hit, share=False),
    "multi_object_miou": Measure(
        "mean IoU, several of the class",
        "Mean IoU where the picture holds several objects of the target's class.",
        lambda score: score.iou,
        lambda score: float(is_multi_object(score)),
        share=False,
    ),
    "multi_object_acc_at_50": Measure(
        "Acc@0.5, several of the class",
        "Acc@0.5 where the picture holds several objects of the target's class.",
        lambda score: score.hit_at_50,
        lambda score: float(is_multi_object(score)),
    ),
    "wrong_object_rate": Measure(
        "wrong object, several of the class",
        "Share of those answers whose most confident box lies on another object that could be meant (IoU 0.5), not on a target.",
        lambda score: score.wrong_object,
        lambda score: float(is_multi_object(score)),
    ),
    "pointing": Measure(
        "pointing",
        "Share of the answers about a target whose most confident box has its middle in a target (pointing game, Zhang et al., 2016).",
        lambda score: score.pointed,
        _with_target,
    ),
    "giou": Measure(
        "mean GIoU",
        "Mean generalised IoU (Rezatofighi et al., 2019) of the most confident box with the only target; -1 without a box.",
        lambda score: score.giou if score.giou is not None else 0.0,
        lambda score: float(score.giou is not None),
        bounds=(-1.0, 1.0),
        share=False,
    ),
    "precision": Measure(
        "precision",
        "Boxes matched one to one with a target at an IoU of 0.5, over all boxes that were drawn, those of unreadable answers included.",
        lambda score: score.n_matched,
        lambda score: score.n_boxes,
        share=False,
    ),
    "recall": Measure("recall", "The same matched boxes over all targets.", lambda score: score.n_matched, lambda score: score.n_targets, share=False),
    "f1": Measure(
        "F1",
        "Twice the matched boxes over boxes plus targets: the harmonic mean of precision and recall (van Rijsbergen, 1979).",
        lambda score: 2 * score.n_matched,
        lambda score: score.n_boxes + score.n_targets,
        share=False,
    ),
    "several_targets_f1": Measure(
        "F1, several targets",
        "F1 over the queries for several objects at once.",
        lambda score: 2 * score.n_matched,
        lambda score: _several_targets(score) * (score.n_boxes + score.n_targets),
        share=False,
    ),
    "several_targets_exact": Measure(
        "exact set, several targets",
        "Share of those queries whose set of boxes is right as a whole: none missing, none left over.",
        lambda score: score.hit_at_50,
        _several_targets,
    ),
    "no_target_acc": Measure(
        "no-target accuracy",
        "Share of the queries for what is not there that are answered so (N-acc. of GREC).",
        lambda score: score.hit_at_50,
        _without_target,
    ),
    "hallucinated_box_rate": Measure(
        "hallucinated boxes",
        "Share of the queries for what is not there that are answered with a box.",
        lambda score: score.n_boxes > 0,
        _without_target,
    ),
    "false_none_rate": Measure(
        "false 'nothing there'",
        "Share of the queries for what is there that are answered with 'nothing there'.",
        lambda score: score.outcome == "none",
        _with_target,
    ),
    "distance_mm": Measure(
        "distance of the middles, mm",
        "Mean distance between the middles of the most confident box and of the only target, where a box was drawn and the spacing is known.",
        lambda score: score.distance_mm if score.distance_mm is not None else 0.0,
        lambda score: float(score.distance_mm is not None),
        bounds=(0.0, IMAGE_DIAGONAL_MM),
        share=False,
    ),
    "parse_failure_rate": Measure(
        "parse failures",
        "Share of the answers that are no reading: text that cannot be parsed, boxes that no such image has, rows that are missing or double.",
        lambda score: score.parse_failed,
    ),
    "steered_rate": Measure(
        "steered by a constraint",
        "Share of the answers of which constrained decoding overruled at least one token; 0 where decoding is free.",
        lambda score: score.n_steered > 0,
    ),
}


def ratio_of(measure: Measure, scores: Sequence[Score], mask: np.ndarray, patients: Patients) -> Ratio:
    """The measure over the masked examples; ``mask`` is boolean, (examples,)."""
    over = np.array([measure.over(score) if chosen else 0.0 for score, chosen in zip(scores, mask, strict=True)], float)
    of = np.array([float(measure.of(score)) if weight else 0.0 for score, weight in zip(scores, over, strict=True)], float)
    return patients.ratio(of, over, measure.bounds, measure.share)


Table = dict[str, dict[str, Estimate]]


def contender_table(scores: Mapping[str, Sequence[Score]], mask: np.ndarray, patients: Patients, bootstrap: Bootstrap) -> Table:
    """Measure -> estimate per contender over the masked examples; ``scores`` lists the same examples in the same order for each."""
    cells = [(name, key) for name in scores for key in MEASURES]
    found = estimates([ratio_of(MEASURES[key], scores[name], mask, patients) for name, key in cells], bootstrap)
    table: Table = {name: {} for name in scores}
    for (name, key), estimate in zip(cells, found, strict=True):
        table[name][key] = estimate
    return table


@dataclass(frozen=True)
class Pair:
    """One measure of ``first`` minus that of ``second`` over the same examples."""

    first: str
    second: str
    measure: str
    difference: Estimate


def paired(scores: Mapping[str, Sequence[Score]], mask: np.ndarray, patients: Patients, bootstrap: Bootstrap, measures: Sequence[str] = PAIRED) -> list[Pair]:
    """Differences between all contenders under the same draws; those of GAINS first and in their direction, else later minus earlier."""
    names = list(scores)
    listed = [pair for pair in GAINS if set(pair) <= set(names)]
    listed += [(second, first) for at, first in enumerate(names) for second in names[at + 1 :] if not {(first, second), (second, first)} & set(listed)]
    ratios = {(name, key): ratio_of(MEASURES[key], scores[name], mask, patients) for name in names for key in measures}
    cells = [(first, second, key) for first, second in listed for key in measures]
    found = differences([(ratios[first, key], ratios[second, key]) for first, second, key in cells], bootstrap)
    return [Pair(*cell, estimate) for cell, estimate in zip(cells, found, strict=True)]


def threshold_curve(scores: Sequence[Score]) -> list[tuple[float, float]]:
    """Share of the answers that are right as a whole at each IoU threshold of .05, .10, ... .95."""
    floors = np.array([score.floor_iou for score in scores])
    return [(threshold, float((floors >= threshold).mean())) for threshold in THRESHOLDS]
