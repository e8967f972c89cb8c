"""Confidence against rightness."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.records import Score
from stages.evaluate.bootstrap import Bootstrap, Patients
from stages.evaluate.calibration import calibration_error, drawn_errors, expected_calibration_error, reliability, risk_coverage
from stages.evaluate.scoring import score_answer
from tests.evaluate.builders import make_answer, make_example

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def arrays(answers: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([confidence for confidence, _ in answers]), np.array([right for _, right in answers], float)


@given(ANSWERS, st.randoms(use_true_random=False))
def test_calibration_is_bounded_and_does_not_depend_on_the_order(answers: list, random) -> None:
    shuffled = random.sample(answers, len(answers))
    error = expected_calibration_error(reliability(*arrays(answers)))
    assert 0 <= error <= 1
    assert error == pytest.approx(expected_calibration_error(reliability(*arrays(shuffled))))
    assert risk_coverage(*arrays(shuffled)) == [(at, pytest.approx(risk)) for at, risk in risk_coverage(*arrays(answers))]


@given(ANSWERS)
def test_every_answer_is_in_one_bin(answers: list) -> None:
    bins = reliability(*arrays(answers))
    assert sum(one.n for one in bins) == len(answers)
    assert all(one.low - 1e-9 <= one.confidence <= one.high + 1e-9 for one in bins if one.n)


def test_a_confidence_that_is_the_accuracy_has_no_error_and_a_sure_liar_has_the_greatest() -> None:
    confidence = np.repeat([0.25, 0.75], 8)
    right = np.tile([1, 0, 0, 0], 4).astype(float)
    right[8:] = 1 - right[8:]
    assert expected_calibration_error(reliability(confidence, right)) == pytest.approx(0)
    assert expected_calibration_error(reliability(np.ones(5), np.zeros(5))) == 1


def test_the_risk_at_full_coverage_is_the_share_of_wrong_answers() -> None:
    confidence, right = np.linspace(0, 1, 40), (np.arange(40) >= 10).astype(float)
    curve = dict(risk_coverage(confidence, right))
    assert curve[1.0] == pytest.approx(0.25)
    assert curve[0.5] == curve[0.75] == 0
    assert [curve[at] for at in sorted(curve)] == sorted(curve.values())


def test_equal_confidences_are_taken_in_no_order() -> None:
    curve = risk_coverage(np.full(10, 0.5), np.array([1.0] * 5 + [0.0] * 5))
    assert [risk for _, risk in curve] == pytest.approx([0.5] * 20)


def test_no_answer_with_a_confidence_gives_no_curve() -> None:
    assert risk_coverage(np.zeros(0), np.zeros(0)) == []
    assert expected_calibration_error(reliability(np.zeros(0), np.zeros(0))) == 0


TEMPLATE = score_answer(make_example(0, [[1.0, 1.0, 9.0, 9.0]]), make_answer(make_example(0, []), "tuned", []))


def scores_of(confidence: np.ndarray, right: np.ndarray, owner: np.ndarray) -> list[Score]:
    return [dataclasses.replace(TEMPLATE, confidence=float(sure), hit_at_50=bool(hit), patient_id=str(who)) for sure, hit, who in zip(confidence, right, owner, strict=True)]


def shifted_answers(generator: np.random.Generator, patients: int, each: int, shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidences, rightness and patients: right as often as a confidence whose log-odds are moved by ``shift`` says."""
    odds = generator.normal(0, 1.2, patients * each) + np.repeat(generator.normal(0, 0.7, patients), each)
    right = generator.random(len(odds)) < 1 / (1 + np.exp(-odds - shift))
    return 1 / (1 + np.exp(-odds)), right.astype(float), np.repeat(np.arange(patients), each)


@pytest.mark.parametrize("shift", [0.0, 0.4, -1.0])
def test_the_interval_of_the_error_covers_the_truth_also_of_honest_confidences(shift: float) -> None:
    generator = np.random.default_rng(1)
    confidence, right, _ = shifted_answers(generator, 20_000, 5, shift)
    truth = 0.0 if shift == 0 else expected_calibration_error(reliability(confidence, right))
    covered = 0
    for trial in range(100):
        found = calibration_error(scores_of(*shifted_answers(generator, 60, 8, shift)), Bootstrap(250, 0.95, trial))
        covered += found.low <= truth <= found.high
    assert covered >= 88


@given(ANSWERS, st.integers(1, 6))
def test_the_interval_of_the_error_holds_it_and_stays_in_range(answers: list, patients: int) -> None:
    confidence, right = arrays(answers)
    found = calibration_error(scores_of(confidence, right, np.arange(len(right)) % patients), Bootstrap(50, 0.95, 1))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.value == pytest.approx(expected_calibration_error(reliability(confidence, right)))


def test_a_draw_of_the_error_is_that_of_the_patients_who_were_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    confidence, right, owner = shifted_answers(np.random.default_rng(0), 4, 3, 0.5)
    times = np.array([[2, 0, 1, 1], [1, 1, 1, 1]], np.uint16)
    monkeypatch.setattr("stages.evaluate.calibration.patient_weights", lambda count, how: times)
    repeated = np.repeat(np.arange(12), times[0][owner])
    expected = [expected_calibration_error(reliability(confidence[chosen], right[chosen])) for chosen in (repeated, np.arange(12))]
    assert drawn_errors(confidence, right, Patients(owner.astype(str).tolist()), Bootstrap(2, 0.95, 1)) == pytest.approx(expected)
