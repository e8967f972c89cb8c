from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.evaluate.bootstrap import Bootstrap, Estimate, Patients, Ratio, differences, draw_ratios, estimates, resolvable, widen_unanimous


def how(draws: int = 400, seed: int = 1) -> Bootstrap:
    return Bootstrap(draws, 0.95, seed)


def mean_of(values: np.ndarray, names: list[str], share: bool = False) -> Ratio:
    return Patients(names).ratio(values, np.ones(len(values)), share=share)


def test_sums_follow_the_patients() -> None:
    ratio = Patients(["b", "a", "b"]).ratio(np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.0, 2.0]))
    assert ratio.numerator.tolist() == [0.0, 5.0]
    assert ratio.denominator.tolist() == [0.0, 3.0]
    assert (ratio.value, ratio.n, ratio.patients) == (5 / 3, 2, 1)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=1, max_size=30))
def test_the_interval_holds_the_mean_and_stays_in_range(rows: list[tuple[float, int]]) -> None:
    values = np.array([value for value, _ in rows])
    (found,) = estimates([mean_of(values, [str(patient) for _, patient in rows])], how(200))
    assert found.value == pytest.approx(values.mean())
    assert -1e-9 <= found.low <= found.value <= found.high <= 1 + 1e-9


def _patients_with_levels(generator: np.random.Generator, patients: int, each: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Two contenders' hits on the same examples: those of a patient share the patient's own level; the truth is 0.5 and 0.4."""
    level = np.repeat(generator.beta(2, 2, patients), each)
    first = (generator.random(patients * each) < level).astype(float)
    second = first * (generator.random(patients * each) < 0.8)
    return first, second, np.repeat(np.arange(patients), each).astype(str).tolist()


def test_intervals_cover_the_truth_as_often_as_they_claim() -> None:
    """An interval over examples would be too narrow; those of a mean, of a mean over a part, and of a paired difference are not."""
    generator = np.random.default_rng(0)
    trials = 300
    covered = np.zeros(3)
    for trial in range(trials):
        first, second, names = _patients_with_levels(generator, 60, 8)
        owners, part = Patients(names), generator.random(len(first)) < 0.3
        whole, other = owners.ratio(first, np.ones(len(first))), owners.ratio(second, np.ones(len(first)))
        mean, some = estimates([whole, owners.ratio(first, part.astype(float))], how(seed=trial))
        (apart,) = differences([(whole, other)], how(seed=trial))
        covered += [mean.low <= 0.5 <= mean.high, some.low <= 0.5 <= some.high, apart.low <= 0.1 <= apart.high]
    assert (covered / trials > 0.91).all() and (covered / trials < 0.985).all()


def test_a_difference_of_the_resolvable_size_is_found_as_often_as_promised() -> None:
    generator = np.random.default_rng(1)
    trials, found = 300, 0
    first, second, names = _patients_with_levels(generator, 60, 8)
    promised = resolvable(differences([(mean_of(first, names), mean_of(second, names))], how(2000))[0], 0.95)
    lost = promised / 0.5
    for trial in range(trials):
        first, _, names = _patients_with_levels(generator, 60, 8)
        second = first * (generator.random(len(first)) >= lost)
        found += differences([(mean_of(first, names), mean_of(second, names))], how(seed=trial))[0].low > 0
    # The spread itself depends on the difference, so that the promise holds roughly: four times in five, and not half of the time.
    assert found / trials > 0.7


def test_the_interval_over_patients_is_wider_than_over_examples_when_a_patient_agrees_with_itself() -> None:
    values = np.repeat([0.0, 1.0] * 10, 10)
    (by_patient,) = estimates([mean_of(values, np.repeat(np.arange(20), 10).astype(str).tolist())], how())
    (by_example,) = estimates([mean_of(values, np.arange(200).astype(str).tolist())], how())
    assert by_patient.high - by_patient.low > 2 * (by_example.high - by_example.low)


def test_measures_share_their_draws_so_that_differences_are_paired() -> None:
    values, names = np.random.default_rng(0).random(50), [str(i % 9) for i in range(50)]
    draws = draw_ratios([mean_of(values, names), mean_of(values + 0.25, names)], how(100))
    assert np.allclose(draws[:, 1] - draws[:, 0], 0.25)
    (apart,) = differences([(mean_of(values + 0.25, names), mean_of(values, names))], how(100))
    assert (apart.value, apart.low, apart.high) == pytest.approx((0.25, 0.25, 0.25))


def test_a_difference_turned_around_has_the_opposite_sign() -> None:
    generator = np.random.default_rng(0)
    a, b, names = generator.random(50), generator.random(50), [str(i % 9) for i in range(50)]
    (there,) = differences([(mean_of(a, names), mean_of(b, names))], how())
    (back,) = differences([(mean_of(b, names), mean_of(a, names))], how())
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))


def test_draws_in_portions_are_the_same_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ratio = mean_of(np.random.default_rng(0).random(30), [str(i % 7) for i in range(30)])
    at_once = draw_ratios([ratio], how(50))
    monkeypatch.setattr("stages.evaluate.bootstrap.DRAWS_AT_ONCE", 7 * 9)
    assert np.allclose(draw_ratios([ratio], how(50)), at_once)


def test_no_example_gives_zero_over_the_whole_range_and_no_nan() -> None:
    empty = Patients(["a", "b"]).ratio(np.full(2, np.nan), np.zeros(2))
    (found,) = estimates([empty], how())
    assert (found.value, found.low, found.high, found.n, found.patients) == (0.0, 0.0, 1.0, 0, 0)
    (apart,) = differences([(empty, empty)], how())
    assert (apart.value, apart.low, apart.high, apart.n) == (0.0, -1.0, 1.0, 0)


def test_a_part_that_most_draws_miss_still_has_finite_bounds() -> None:
    part = np.array([1.0, 1.0] + [0.0] * 38)
    (found,) = estimates([Patients([str(i) for i in range(40)]).ratio(np.array([1.0, 0.0] + [np.nan] * 38), part)], how())
    assert (found.value, found.low, found.high, found.patients) == (0.5, 0.0, 1.0, 2)


def test_one_patient_says_nothing_about_the_spread() -> None:
    (found,) = estimates([mean_of(np.array([1.0, 0.0]), ["p", "p"])], how())
    assert (found.value, found.low, found.high, found.n, found.patients) == (0.5, 0.0, 1.0, 2, 1)


def test_a_unanimous_share_gets_the_exact_bound_of_its_patients() -> None:
    assert widen_unanimous(Estimate(0.0, 0.0, 0.0, 90, 30), 0.95).high == pytest.approx(0.1157, abs=1e-4)
    assert widen_unanimous(Estimate(1.0, 1.0, 1.0, 90, 30), 0.95).low == pytest.approx(1 - 0.1157, abs=1e-4)
    assert widen_unanimous(Estimate(0.4, 0.3, 0.5, 90, 30), 0.95) == Estimate(0.4, 0.3, 0.5, 90, 30)


def test_ten_thousand_draws_over_a_thousand_patients_take_seconds() -> None:
    import time

    generator = np.random.default_rng(0)
    owners = Patients(np.repeat(np.arange(1000), 5).astype(str).tolist())
    ratios = [owners.ratio(generator.random(5000), np.ones(5000)) for _ in range(100)]
    started = time.process_time()
    assert len(estimates(ratios, how(10_000))) == 100
    assert time.process_time() - started < 20
