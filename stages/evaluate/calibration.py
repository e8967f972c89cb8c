"""Is a confident answer a right one? Reliability and expected calibration error, and risk against coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.records import Score

BINS = 10
COVERAGES = [step / 20 for step in range(1, 21)]


@dataclass(frozen=True)
class Bin:
    """Answers whose confidence lies in (low, high]; the first bin includes 0. ``confidence`` and ``accuracy`` are means, 0 where n is 0."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def certain_answers(scores: Sequence[Score]) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and rightness (Acc@0.5) of the answers that have a confidence; two arrays of one length."""
    chosen = [score for score in scores if score.confidence is not None]
    return np.array([score.confidence for score in chosen], float), np.array([score.hit_at_50 for score in chosen], float)


def reliability(confidence: np.ndarray, right: np.ndarray) -> list[Bin]:
    """Ten bins of equal width (reliability diagram, DeGroot & Fienberg, 1983)."""
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    bins = []
    for number in range(BINS):
        inside = place == number
        n = int(inside.sum())
        means = (float(confidence[inside].mean()), float(right[inside].mean())) if n else (0.0, 0.0)
        bins.append(Bin(number / BINS, (number + 1) / BINS, n, *means))
    return bins


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Mean distance of confidence and accuracy over the bins, weighted by their answers (Guo et al., ICML 2017); 0 without answers."""
    total = sum(one.n for one in bins)
    return sum(one.n * abs(one.confidence - one.accuracy) for one in bins) / total if total else 0.0


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> list[tuple[float, float]]:
    """Share of wrong answers among the most confident 5%, 10%, ... of all (Geifman & El-Yaniv, NeurIPS 2017); empty without answers.

    Equally confident answers are taken in no order: each stands for their mean.
    """
    if not len(confidence):
        return []
    levels, place = np.unique(-confidence, return_inverse=True)
    mean = np.bincount(place, weights=1 - right) / np.bincount(place)
    wrong = np.sort(place)
    running = np.cumsum(mean[wrong])
    taken = [max(1, round(coverage * len(confidence))) for coverage in COVERAGES]
    return [(coverage, float(running[count - 1] / count)) for coverage, count in zip(COVERAGES, taken, strict=True)]
