from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.geometry import iou, iou_matrix
from stages.evaluate.matching import example_iou, floor_iou, matched_ious

SIDE = st.integers(0, 30)


@st.composite
def boxes(draw: st.DrawFn) -> list[float]:
    x0, y0 = draw(SIDE), draw(SIDE)
    return [float(x0), float(y0), float(x0 + 1 + draw(SIDE)), float(y0 + 1 + draw(SIDE))]


LISTS = st.lists(boxes(), max_size=5)


@given(boxes(), boxes())
def test_iou_is_symmetric_bounded_and_one_for_equal_boxes(a: list[float], b: list[float]) -> None:
    assert 0 <= iou(a, b) <= 1
    assert iou(a, b) == iou(b, a)
    assert iou(a, a) == 1
    assert (iou(a, b) == 1) == (a == b)


@given(boxes(), boxes())
def test_iou_equals_counting_pixels(a: list[float], b: list[float]) -> None:
    canvas = np.zeros((2, 62, 62), bool)
    for layer, (x0, y0, x1, y1) in zip(canvas, (a, b), strict=True):
        layer[int(y0) : int(y1), int(x0) : int(x1)] = True
    assert iou(a, b) == pytest.approx((canvas[0] & canvas[1]).sum() / (canvas[0] | canvas[1]).sum())
    assert iou_matrix(np.array([a]), np.array([b]))[0, 0] == pytest.approx(iou(a, b))


@given(LISTS, LISTS, st.randoms(use_true_random=False))
def test_scores_do_not_depend_on_the_order_of_boxes(predicted: list, targets: list, random) -> None:
    shuffled_p, shuffled_t = random.sample(predicted, len(predicted)), random.sample(targets, len(targets))
    assert example_iou(shuffled_p, shuffled_t) == pytest.approx(example_iou(predicted, targets))
    assert floor_iou(shuffled_p, shuffled_t) == floor_iou(predicted, targets)


@given(LISTS, LISTS)
def test_example_iou_is_symmetric_and_never_below_the_floor(predicted: list, targets: list) -> None:
    assert example_iou(predicted, targets) == pytest.approx(example_iou(targets, predicted))
    assert -1e-9 <= floor_iou(predicted, targets) <= example_iou(predicted, targets) + 1e-9 <= 1 + 2e-9


@given(LISTS)
def test_a_perfect_answer_scores_one(targets: list) -> None:
    assert example_iou(targets, targets) == pytest.approx(1)
    assert floor_iou(targets, targets) == 1


@given(st.lists(boxes(), min_size=1, max_size=4), boxes())
def test_an_extra_box_never_helps_a_perfect_answer(targets: list, extra: list[float]) -> None:
    assert example_iou([*targets, extra], targets) == pytest.approx(len(targets) / (len(targets) + 1))
    assert floor_iou([*targets, extra], targets) == 0


def test_matching_is_one_to_one() -> None:
    target = [0.0, 0.0, 10.0, 10.0]
    other = [50.0, 50.0, 60.0, 60.0]
    assert list(matched_ious([target, target], [target, other])) == [1.0, 0.0]
    assert example_iou([target, target], [target, other]) == 0.5


def test_the_floor_takes_the_matching_with_the_best_worst_pair() -> None:
    targets = [[0.0, 0.0, 10.0, 1.0], [5.0, 0.0, 15.0, 1.0]]
    # First answer fits the first target exactly and half covers the second; the other answer lies between.
    predicted = [[2.5, 0.0, 12.5, 1.0], [0.0, 0.0, 10.0, 1.0]]
    assert floor_iou(predicted, targets) == pytest.approx(0.6)
