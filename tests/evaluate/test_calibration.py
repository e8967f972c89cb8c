"""Confidence against rightness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.evaluate.calibration import expected_calibration_error, reliability, risk_coverage

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
