from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stages.core.geometry import iou
from stages.evaluate.overlap import centre_distance_mm, giou, points_into
from tests.evaluate.test_matching import boxes


@given(boxes(), boxes())
def test_giou_is_symmetric_bounded_and_never_above_iou(a: list[float], b: list[float]) -> None:
    assert -1 < giou(a, b) <= iou(a, b) + 1e-12
    assert giou(a, b) == pytest.approx(giou(b, a))
    assert giou(a, a) == 1


@given(boxes(), boxes(), st.floats(0.5, 20), st.floats(-50, 50), st.floats(-50, 50))
def test_giou_and_iou_do_not_change_when_both_boxes_are_scaled_and_shifted(a: list, b: list, scale: float, dx: float, dy: float) -> None:
    def moved(box: list[float]) -> list[float]:
        return [value * scale + shift for value, shift in zip(box, (dx, dy, dx, dy), strict=True)]

    assert giou(moved(a), moved(b)) == pytest.approx(giou(a, b), abs=1e-9)
    assert iou(moved(a), moved(b)) == pytest.approx(iou(a, b), abs=1e-9)


@given(boxes(), boxes())
def test_giou_equals_the_iou_when_the_boxes_fill_their_hull(a: list[float], b: list[float]) -> None:
    beside = [a[2], a[1], a[2] + b[2], a[3]]
    assert giou(a, beside) == pytest.approx(0)


def test_giou_falls_as_boxes_move_apart() -> None:
    found = [giou([0, 0, 10, 10], [gap, 0, gap + 10, 10]) for gap in (5, 10, 20, 90)]
    assert found == pytest.approx([1 / 3, 0, -1 / 3, -0.8])


@given(boxes())
def test_a_box_points_into_itself_and_into_whatever_holds_it(box: list[float]) -> None:
    assert points_into(box, box)
    assert points_into(box, [box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1])
    assert not points_into(box, [box[2], box[1], box[2] + 1, box[3]])


@given(boxes(), boxes(), boxes(), st.floats(0.1, 3), st.floats(0.1, 3))
def test_the_distance_is_a_metric_of_the_middles(a: list, b: list, c: list, row: float, column: float) -> None:
    spacing = [row, column]
    assert centre_distance_mm(a, a, spacing) == 0
    assert centre_distance_mm(a, b, spacing) == pytest.approx(centre_distance_mm(b, a, spacing))
    assert centre_distance_mm(a, c, spacing) <= centre_distance_mm(a, b, spacing) + centre_distance_mm(b, c, spacing) + 1e-9


@given(boxes(), st.floats(0.1, 3), st.floats(0.1, 3))
def test_a_step_to_the_right_is_measured_by_the_column_spacing(box: list[float], row: float, column: float) -> None:
    assume(row != column)
    assert centre_distance_mm(box, [box[0] + 2, box[1], box[2] + 2, box[3]], [row, column]) == pytest.approx(2 * column)
