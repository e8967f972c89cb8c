"""Intervals of means, bootstrapped by patient.

Images and queries of one patient resemble each other, so patients are drawn, not examples (cluster bootstrap,
Davison & Hinkley, 1997, 3.8). A draw is a multinomial weight per patient; a mean is a ratio of weighted per-patient
sums, so all draws are one matrix product. All columns share the draws: differences between them are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval; ``n`` examples of ``patients`` patients."""

    value: float
    low: float
    high: float
    n: int
    patients: int


def patient_sums(values: np.ndarray, patients: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sums and counts per patient, in the order of the patients' ids.

    Args:
        values: shape (examples, columns).
        patients: one id per example.

    Returns:
        Sums of shape (patients, columns) and counts of shape (patients,).
    """
    names, owner = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, owner, values)
    return sums, np.bincount(owner, minlength=len(names)).astype(float)


def bootstrap_means(values: np.ndarray, patients: Sequence[str], draws: int, seed: int) -> np.ndarray:
    """Bootstrapped means of each column, shape (draws, columns); ``values`` has shape (examples, columns), at least one row."""
    sums, counts = patient_sums(values, patients)
    generator = np.random.default_rng(seed)
    share = np.full(len(counts), 1 / len(counts))
    step = max(1, DRAWS_AT_ONCE // len(counts))
    means = []
    for start in range(0, draws, step):
        weights = generator.multinomial(len(counts), share, size=min(step, draws - start)).astype(float)
        means.append((weights @ sums) / (weights @ counts)[:, None])
    return np.concatenate(means)


def estimate_columns(
    values: np.ndarray, patients: Sequence[str], draws: int, confidence: float, seed: int, bounds: tuple[float, float] = (0.0, 1.0)
) -> list[Estimate]:
    """Mean and percentile interval of each column.

    Args:
        values: shape (examples, columns).
        bounds: least and greatest value that the measure can take. Fewer than two patients say nothing about the
            spread between patients: the interval is then the whole range.
    """
    n, count = len(values), len(set(patients))
    if n == 0:
        return [Estimate(0.0, *bounds, 0, 0) for _ in range(values.shape[1])]
    means = values.mean(axis=0)
    if count < 2:
        return [Estimate(float(mean), *bounds, n, count) for mean in means]
    tail = (1 - confidence) / 2
    low, high = np.quantile(bootstrap_means(values, patients, draws, seed), [tail, 1 - tail], axis=0)
    # A column without variation has a mean that differs from its draws by rounding only.
    return [Estimate(float(mean), float(min(a, mean)), float(max(b, mean)), n, count) for mean, a, b in zip(means, low, high, strict=True)]


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
