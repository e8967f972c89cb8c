"""Looks at validation score as the evaluation does, and decide by what was seen until then."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.params import ValidationParams
from stages.finetune.grounding import Look, Looks, answer_iou

BOX, OTHER = [0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 30.0, 30.0]


@pytest.mark.parametrize(
    ("found", "targets", "expected"),
    [([BOX], [BOX], (1.0, True)), ([], [], (1.0, True)), ([], [BOX], (0.0, False)), ([BOX], [], (0.0, False)),
     ([OTHER, BOX], [BOX, OTHER], (1.0, True)), ([BOX, OTHER], [BOX], (0.5, False)), ([BOX], [BOX, OTHER], (0.5, False)),
     ([[0.0, 0.0, 10.0, 5.0]], [BOX], (0.5, True)), ([[0.0, 0.0, 10.0, 4.0]], [BOX], (0.4, False))],
)  # fmt: skip
def test_an_answer_is_right_when_every_box_has_its_own_target(found: list, targets: list, expected: tuple[float, bool]) -> None:
    value, right = answer_iou(found, targets)
    assert value == pytest.approx(expected[0]) and right == expected[1]


corners = st.integers(0, 20)
boxes = st.lists(st.tuples(corners, corners, st.integers(1, 9), st.integers(1, 9)).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]]), max_size=4)


@given(boxes, boxes)
def test_the_score_is_symmetric_and_a_share(found: list, targets: list) -> None:
    value, right = answer_iou(found, targets)
    assert (pytest.approx(value), right) == answer_iou(targets, found)
    assert 0 <= value <= 1 + 1e-9 and (not right or value >= 0.5)


def test_the_best_look_is_the_first_of_the_highest_and_patience_counts_from_it(tmp_path: Path) -> None:
    looks = Looks(tmp_path, ValidationParams(1, 4, 2, "best"))
    better = [looks.add(Look(step, 0.0, value)) for step, value in enumerate([0.2, 0.5, 0.5, 0.4], start=1)]
    assert better == [True, True, False, False]
    assert looks.best(4).step == 2
    assert [looks.exhausted(step) for step in (1, 2, 3, 4)] == [False, False, False, True]


def test_looks_of_a_killed_run_count_only_up_to_the_step_that_it_resumed_from(tmp_path: Path) -> None:
    params = ValidationParams(1, 4, 1, "best")
    killed = Looks(tmp_path, params)
    for step, value in ((1, 0.2), (2, 0.9), (3, 0.1)):
        killed.add(Look(step, 0.0, value))
    resumed = Looks(tmp_path, params)
    assert [look.step for look in resumed.until(1)] == [1]
    assert resumed.add(Look(2, 0.0, 0.9)), "the same look again is the best again, so that its weights are written again"
    assert not resumed.exhausted(2)
