"""Intervals of means and ratios, bootstrapped by patient.

Images and queries of one patient resemble each other, so patients are drawn, not examples (cluster bootstrap, Davison &
Hinkley, Bootstrap Methods, 1997, 3.8). A draw is a multinomial weight per patient; every measure is a ratio of weighted
per-patient sums, so all draws of all measures are two matrix products. All measures share the draws: differences are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

DRAWS_AT_ONCE = 2_000_000
# The chance with which a difference of ``resolvable`` size is found.
POWER = 0.8


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: number of draws, coverage, seed of the draws."""

    draws: int
    confidence: float
    seed: int


@dataclass(frozen=True)
class Estimate:
    """A value with its interval and bootstrap standard error; over ``n`` examples of ``patients`` patients.

    Where ``n`` is 0 there is no value: ``value`` is then 0 and the interval everything that the measure can be.
    """

    value: float
    low: float
    high: float
    n: int
    patients: int
    error: float = 0.0


@dataclass(frozen=True)
class Ratio:
    """A measure as sums per patient: ``numerator`` over ``denominator``, both of shape (patients,).

    ``n`` counts the examples that the measure is about. ``bounds`` are the least and greatest value that it can take;
    ``share`` says that it is a share of yes among yes and no.
    """

    numerator: np.ndarray
    denominator: np.ndarray
    n: int
    bounds: tuple[float, float]
    share: bool

    @property
    def value(self) -> float:
        """Sum over sum; 0 over nothing."""
        total = self.denominator.sum()
        return float(self.numerator.sum() / total) if total else 0.0

    @property
    def patients(self) -> int:
        """Patients who have something in the denominator."""
        return int((self.denominator > 0).sum())


class Patients:
    """Who owns which example: turns values per example into sums per patient. ``owner`` is the patient's number of each, (examples,)."""

    def __init__(self, ids: Sequence[str]) -> None:
        """``ids``: the patient of every example."""
        names, self.owner = np.unique(np.asarray(ids, dtype=str), return_inverse=True)
        self.count = len(names)

    def ratio(self, numerator: np.ndarray, denominator: np.ndarray, bounds: tuple[float, float] = (0.0, 1.0), share: bool = True) -> Ratio:
        """The ratio of two sums over examples. Both have shape (examples,); where the denominator is 0 the numerator is not read."""
        counted = np.where(denominator > 0, numerator, 0.0)
        sums = [np.bincount(self.owner, weights=values, minlength=self.count) for values in (counted, denominator)]
        return Ratio(sums[0], sums[1], int((denominator > 0).sum()), bounds, share)


def draw_ratios(ratios: Sequence[Ratio], bootstrap: Bootstrap) -> np.ndarray:
    """Bootstrapped ratios, shape (draws, ratios); NaN where no drawn patient has anything in the denominator."""
    above = np.stack([ratio.numerator for ratio in ratios], axis=1)
    below = np.stack([ratio.denominator for ratio in ratios], axis=1)
    count = len(above)
    generator = np.random.default_rng(bootstrap.seed)
    share = np.full(count, 1 / count)
    step = max(1, DRAWS_AT_ONCE // count)
    drawn = np.full((bootstrap.draws, len(ratios)), np.nan)
    for start in range(0, bootstrap.draws, step):
        weights = generator.multinomial(count, share, size=min(step, bootstrap.draws - start)).astype(float)
        sums = weights @ below
        np.divide(weights @ above, sums, out=drawn[start : start + step], where=sums > 0)
    return drawn


def patient_weights(count: int, bootstrap: Bootstrap) -> np.ndarray:
    """How often each of ``count`` patients is drawn, shape (draws, patients), 16 bits each: for figures that are no ratio of sums."""
    return np.random.default_rng(bootstrap.seed).multinomial(count, np.full(count, 1 / count), size=bootstrap.draws).astype(np.uint16)


def estimates(ratios: Sequence[Ratio], bootstrap: Bootstrap) -> list[Estimate]:
    """Value and percentile interval of each ratio; unanimous shares get an exact bound."""
    if not ratios:
        return []
    drawn = draw_ratios(ratios, bootstrap) if len(ratios[0].numerator) > 1 else np.zeros((1, len(ratios)))
    found = []
    for column, ratio in enumerate(ratios):
        plain = interval_of(ratio.value, drawn[:, column], ratio.n, ratio.patients, ratio.bounds, bootstrap.confidence)
        found.append(widen_unanimous(plain, bootstrap.confidence) if ratio.share else plain)
    return found


def differences(pairs: Sequence[tuple[Ratio, Ratio]], bootstrap: Bootstrap) -> list[Estimate]:
    """First minus second of each pair, under the same draws; both ratios of a pair are about the same examples."""
    if not pairs:
        return []
    ratios = [ratio for pair in pairs for ratio in pair]
    drawn = draw_ratios(ratios, bootstrap) if len(ratios[0].numerator) > 1 else np.zeros((1, len(ratios)))
    found = []
    for number, (first, second) in enumerate(pairs):
        reach = first.bounds[1] - first.bounds[0]
        apart = drawn[:, 2 * number] - drawn[:, 2 * number + 1]
        patients = min(first.patients, second.patients)
        found.append(interval_of(first.value - second.value, apart, first.n, patients, (-reach, reach), bootstrap.confidence))
    return found


def interval_of(value: float, drawn: np.ndarray, n: int, patients: int, bounds: tuple[float, float], confidence: float) -> Estimate:
    """Value and percentile interval of one column of draws (NaN: a draw without a value). Fewer than two patients say nothing about the spread: everything is possible."""
    drawn = drawn[~np.isnan(drawn)]
    if n == 0 or patients < 2:
        return Estimate(value, *bounds, n, patients, (bounds[1] - bounds[0]) / 2)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    # A column without variation has a value that differs from its draws by rounding only.
    return Estimate(value, float(min(low, value)), float(max(high, value)), n, patients, float(drawn.std()))


def widen_unanimous(estimate: Estimate, confidence: float) -> Estimate:
    """For a share of 0 or 1, where resampling sees no spread: the exact bound over patients (Clopper & Pearson, 1934)."""
    if estimate.patients < 2 or estimate.low != estimate.high:
        return estimate
    reach = 1 - ((1 - confidence) / 2) ** (1 / estimate.patients)
    if estimate.value <= 0.0:
        return Estimate(0.0, 0.0, reach, estimate.n, estimate.patients)
    if estimate.value >= 1.0:
        return Estimate(1.0, 1 - reach, 1.0, estimate.n, estimate.patients)
    return estimate


def resolvable(difference: Estimate, confidence: float) -> float:
    """The smallest true difference that a test set with this spread would call different, with a chance of ``POWER``.

    (z of the confidence + z of the power) standard errors: the usual normal approximation (Cohen, 1988, 2.4).
    """
    normal = NormalDist()
    return (normal.inv_cdf(0.5 + confidence / 2) + normal.inv_cdf(POWER)) * difference.error
