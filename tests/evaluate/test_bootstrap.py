from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.evaluate.bootstrap import Estimate, bootstrap_means, estimate_columns, patient_sums, widen_unanimous


def test_sums_and_counts_follow_the_patients() -> None:
    sums, counts = patient_sums(np.array([[1.0], [2.0], [4.0]]), ["b", "a", "b"])
    assert sums.tolist() == [[2.0], [5.0]]
    assert counts.tolist() == [1, 2]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=1, max_size=30))
def test_the_interval_holds_the_mean_and_stays_in_range(rows: list[tuple[float, int]]) -> None:
    values = np.array([[value] for value, _ in rows])
    (found,) = estimate_columns(values, [str(patient) for _, patient in rows], 200, 0.95, 1)
    assert found.value == pytest.approx(values.mean())
    assert -1e-9 <= found.low <= found.value <= found.high <= 1 + 1e-9


def test_intervals_cover_the_truth_as_often_as_they_claim() -> None:
    """Examples of a patient share the patient's own level, so an interval over examples would be too narrow."""
    generator = np.random.default_rng(0)
    trials, patients, each = 300, 60, 8
    names = np.repeat(np.arange(patients), each).astype(str).tolist()
    covered = 0
    for trial in range(trials):
        level = np.repeat(generator.beta(2, 2, patients), each)
        values = (generator.random(patients * each) < level).astype(float)[:, None]
        (found,) = estimate_columns(values, names, 400, 0.95, trial)
        covered += found.low <= 0.5 <= found.high
    assert 0.91 <= covered / trials <= 0.985


def test_the_interval_over_patients_is_wider_than_over_examples_when_a_patient_agrees_with_itself() -> None:
    values = np.repeat([0.0, 1.0] * 10, 10)[:, None]
    by_patient = estimate_columns(values, np.repeat(np.arange(20), 10).astype(str).tolist(), 500, 0.95, 1)[0]
    by_example = estimate_columns(values, np.arange(200).astype(str).tolist(), 500, 0.95, 1)[0]
    assert by_patient.high - by_patient.low > 2 * (by_example.high - by_example.low)


def test_columns_share_their_draws_so_that_differences_are_paired() -> None:
    values = np.random.default_rng(0).random((50, 1))
    draws = bootstrap_means(np.hstack([values, values + 0.25]), [str(i % 9) for i in range(50)], 100, 3)
    assert np.allclose(draws[:, 1] - draws[:, 0], 0.25)


def test_draws_in_portions_are_the_same_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values, names = np.random.default_rng(0).random((30, 2)), [str(i % 7) for i in range(30)]
    at_once = bootstrap_means(values, names, 50, 3)
    monkeypatch.setattr("stages.evaluate.bootstrap.DRAWS_AT_ONCE", 7 * 9)
    assert np.allclose(bootstrap_means(values, names, 50, 3), at_once)


def test_no_example_gives_zero_over_the_whole_range_and_no_nan() -> None:
    assert estimate_columns(np.zeros((0, 1)), [], 100, 0.95, 1) == [Estimate(0.0, 0.0, 1.0, 0, 0)]


def test_one_patient_says_nothing_about_the_spread() -> None:
    (found,) = estimate_columns(np.array([[1.0], [0.0]]), ["p", "p"], 100, 0.95, 1)
    assert found == Estimate(0.5, 0.0, 1.0, 2, 1)


def test_a_unanimous_share_gets_the_exact_bound_of_its_patients() -> None:
    assert widen_unanimous(Estimate(0.0, 0.0, 0.0, 90, 30), 0.95).high == pytest.approx(0.1157, abs=1e-4)
    assert widen_unanimous(Estimate(1.0, 1.0, 1.0, 90, 30), 0.95).low == pytest.approx(1 - 0.1157, abs=1e-4)
    assert widen_unanimous(Estimate(0.4, 0.3, 0.5, 90, 30), 0.95) == Estimate(0.4, 0.3, 0.5, 90, 30)
