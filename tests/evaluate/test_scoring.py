from __future__ import annotations

import dataclasses
import math

import pytest

from stages.core.stage import StageError
from stages.evaluate.scoring import examples_of_test_split, score_answer, score_contender
from tests.evaluate.builders import make_answer, make_example

BOX = [10.0, 10.0, 30.0, 40.0]
FAR = [60.0, 50.0, 80.0, 70.0]


def score(targets: list, boxes: list, outcome: str | None = None):
    example = make_example(1, targets)
    return score_answer(example, make_answer(example, "tuned", boxes, outcome))


def test_an_exact_box_is_a_hit() -> None:
    assert (score([BOX], [BOX]).iou, score([BOX], [BOX]).hit_at_50) == (1, True)


def test_an_iou_of_exactly_a_half_is_a_hit() -> None:
    result = score([[0, 0, 20, 10]], [[0, 0, 10, 10]])
    assert (result.iou, result.hit_at_50, result.n_matched) == (0.5, True, 1)


def test_an_extra_box_makes_a_right_answer_wrong() -> None:
    result = score([BOX], [BOX, FAR])
    assert (result.iou, result.hit_at_50, result.n_matched) == (0.5, False, 1)


def test_several_targets_need_all_of_them() -> None:
    assert score([BOX, FAR], [FAR, BOX]).hit_at_50
    assert not score([BOX, FAR], [BOX]).hit_at_50


def test_nothing_there_is_right_only_when_the_model_says_so() -> None:
    assert score([], [], "none").hit_at_50 and score([], [], "none").iou == 1
    assert not score([], [BOX]).hit_at_50 and score([], [BOX]).iou == 0
    assert not score([], [], "ok").hit_at_50


def test_saying_nothing_about_a_target_is_wrong_and_no_parse_failure() -> None:
    result = score([BOX], [], "none")
    assert (result.iou, result.hit_at_50, result.parse_failed) == (0, False, False)


@pytest.mark.parametrize("outcome", ["malformed", "out_of_range"])
@pytest.mark.parametrize("targets", [[], [BOX]])
def test_a_parse_failure_is_wrong_and_counted(outcome: str, targets: list) -> None:
    result = score(targets, [], outcome)
    assert (result.iou, result.hit_at_50, result.parse_failed) == (0, False, True)


@pytest.mark.parametrize(
    "box",
    [[math.nan, 0, 5, 5], [30, 10, 10, 40], [10, 10, 10, 40], [-5, 0, 20, 20], [90, 0, 101, 20], [0, 0, math.inf, 5], [1, 2, 3]],
)
def test_an_impossible_box_is_counted_as_invalid_never_dropped(box: list, caplog: pytest.LogCaptureFixture) -> None:
    result = score([BOX], [box])
    assert (result.outcome, result.parse_failed, result.hit_at_50) == ("invalid_box", True, False)
    assert "d/c001/0~1" in caplog.text


def test_rounding_at_the_border_is_forgiven() -> None:
    assert score([[0, 0, 100, 80]], [[-1e-9, 0, 100 + 1e-9, 80]]).hit_at_50


def test_missing_foreign_and_double_predictions_are_named_together() -> None:
    examples = [make_example(number, [BOX]) for number in (1, 2)]
    answer = make_answer(examples[0], "tuned", [BOX])
    foreign = dataclasses.replace(answer, example_id="d/c999/0~1")
    with pytest.raises(StageError) as caught:
        score_contender("tuned", examples, [answer, answer, foreign])
    message = str(caught.value)
    assert "without a prediction: d/c002/0~1" in message
    assert "not test examples: d/c999/0~1" in message
    assert "more than once: d/c001/0~1" in message
    assert "dvc repro predict@tuned" in message


def test_a_row_of_another_contender_is_an_error() -> None:
    example = make_example(1, [BOX])
    with pytest.raises(StageError, match="another contender: base"):
        score_contender("tuned", [example], [make_answer(example, "base", [BOX])])


def test_an_unknown_outcome_is_an_error() -> None:
    example = make_example(1, [BOX])
    with pytest.raises(StageError, match="mal-formed"):
        score_contender("tuned", [example], [make_answer(example, "tuned", [BOX], "mal-formed")])


def test_an_empty_test_split_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(StageError, match=r"none of split 'test'.*split\.test_share"):
        examples_of_test_split([make_example(1, [BOX], split="train")])


def test_a_target_outside_its_image_is_an_error() -> None:
    with pytest.raises(StageError, match="d/c001/0~1.*outside the image of 100 x 80"):
        examples_of_test_split([make_example(1, [[0, 0, 500, 10]])])
