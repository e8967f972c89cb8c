"""Is a confident answer a right one? Reliability and expected calibration error, and risk against coverage."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.records import Score
from stages.evaluate.bootstrap import DRAWS_AT_ONCE, Bootstrap, Estimate, Patients, interval_of, patient_weights

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


def bin_of(confidence: np.ndarray) -> np.ndarray:
    """Number of the bin of each confidence."""
    return np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)


def reliability(confidence: np.ndarray, right: np.ndarray) -> list[Bin]:
    """Ten bins of equal width (reliability diagram, DeGroot & Fienberg, 1983)."""
    place = bin_of(confidence)
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


def calibration_error(scores: Sequence[Score], bootstrap: Bootstrap) -> Estimate:
    """Expected calibration error of the answers that have a confidence, with an interval bootstrapped by patient.

    Noise in a bin counts as distance, once in the estimate and once more in a draw, so that plain percentiles lie too high: the
    mean of the draws says by how much. The upper end is the percentile, the lower one as far below the value as that is above,
    less twice that bias, and never below 0: conservative where the error is small (the coverage is simulated in a test).
    """
    confidence, right = certain_answers(scores)
    patients = Patients([score.patient_id for score in scores if score.confidence is not None])
    value = expected_calibration_error(reliability(confidence, right))
    drawn = drawn_errors(confidence, right, patients, bootstrap) if patients.count > 1 else np.zeros(1)
    found = interval_of(value, drawn, len(confidence), patients.count, (0.0, 1.0), bootstrap.confidence)
    if patients.count < 2:
        return found
    bias = max(0.0, float(drawn.mean()) - value)
    low = max(0.0, 2 * value - found.high - 2 * bias)
    return dataclasses.replace(found, low=min(low, value))


def drawn_errors(confidence: np.ndarray, right: np.ndarray, patients: Patients, bootstrap: Bootstrap) -> np.ndarray:
    """The error under each draw of patients, shape (draws,). The bins are fixed: a draw re-weighs what each patient adds to them."""
    cells = patients.owner * BINS + bin_of(confidence)
    gaps = np.bincount(cells, confidence - right, patients.count * BINS).reshape(patients.count, BINS)
    answers = np.bincount(patients.owner, minlength=patients.count)
    found = np.zeros(bootstrap.draws)
    step = max(1, DRAWS_AT_ONCE // patients.count)
    weights = patient_weights(patients.count, bootstrap)
    for start in range(0, bootstrap.draws, step):
        drawn = weights[start : start + step].astype(float)
        found[start : start + step] = np.abs(drawn @ gaps).sum(axis=1) / (drawn @ answers)
    return found


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
