from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.stage import StageError
from stages.evaluate.answers import examples_of_test_split
from stages.evaluate.scoring import READ, UNREAD, score_answer
from stages.vlm.codecs import OUTCOMES as CODEC_OUTCOMES
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


@pytest.mark.parametrize("outcome", UNREAD)
@pytest.mark.parametrize("targets", [[], [BOX]])
def test_a_parse_failure_is_wrong_and_counted(outcome: str, targets: list) -> None:
    result = score(targets, [], outcome)
    assert (result.iou, result.hit_at_50, result.parse_failed) == (0, False, True)


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        ([math.nan, 0, 5, 5], "box_not_finite"),
        ([0, 0, math.inf, 5], "box_not_finite"),
        ([1, 2, 3], "box_not_finite"),
        ([30, 10, 10, 40], "box_reversed"),
        ([10, 10, 10, 40], "box_reversed"),
        ([-5, 0, 20, 20], "box_outside"),
        ([90, 0, 101, 20], "box_outside"),
    ],
)
def test_an_impossible_box_is_counted_by_its_fault_never_dropped(box: list, fault: str) -> None:
    result = score([BOX], [BOX, box])
    assert (result.outcome, result.parse_failed, result.hit_at_50, result.n_boxes) == (fault, True, False, 2)


def test_rounding_at_the_border_is_forgiven() -> None:
    assert score([[0, 0, 100, 80]], [[-1e-9, 0, 100 + 1e-9, 80]]).hit_at_50


def test_every_outcome_of_the_codecs_is_known() -> None:
    assert set(CODEC_OUTCOMES) == {*READ, *UNREAD}


def test_an_unknown_outcome_is_wrong_and_says_so() -> None:
    result = score([BOX], [BOX], "mal-formed")
    assert (result.outcome, result.hit_at_50, result.parse_failed) == ("unknown_outcome", False, True)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=2, unique=True))
def test_the_most_confident_box_is_the_one_that_points(certain: list[float]) -> None:
    example = make_example(1, [BOX])
    answer = dataclasses.replace(make_answer(example, "tuned", [BOX, FAR]), scores=certain)
    result = score_answer(example, answer)
    assert result.pointed == (certain[0] > certain[1])
    assert result.best_box_xyxy_px == (BOX if certain[0] > certain[1] else FAR)
    assert result.confidence == min(certain)


@pytest.mark.parametrize("scores", [[], [0.5, 0.5], [1.5], [math.nan], [-0.1]])
def test_what_is_no_confidence_gives_none(scores: list[float]) -> None:
    example = make_example(1, [BOX])
    result = score_answer(example, dataclasses.replace(make_answer(example, "tuned", [BOX]), scores=scores))
    assert (result.confidence, result.hit_at_50) == (None, True)


def test_a_box_on_what_else_could_be_meant_is_the_wrong_object() -> None:
    example = make_example(1, [BOX], distractors_xyxy_px=[FAR])
    wrong, right = (score_answer(example, make_answer(example, "tuned", [box])) for box in (FAR, BOX))
    assert (wrong.wrong_object, wrong.distractor_iou) == (True, 1)
    assert (right.wrong_object, right.distractor_iou) == (False, 0)


def test_a_target_that_a_larger_object_holds_is_not_the_wrong_object_when_the_answer_fits_it_better() -> None:
    example = make_example(1, [BOX], distractors_xyxy_px=[[10, 10, 30, 45]])
    assert not score_answer(example, make_answer(example, "tuned", [BOX])).wrong_object


def test_the_distance_needs_spacing_one_target_and_a_box() -> None:
    near = [12.0, 10.0, 32.0, 40.0]
    example = make_example(1, [BOX], spacing_mm=[3.0, 0.5])
    assert score_answer(example, make_answer(example, "tuned", [near])).distance_mm == 1.0
    assert score_answer(example, make_answer(example, "tuned", [])).distance_mm is None
    assert score([BOX], [near]).distance_mm is None
    several = make_example(1, [BOX, FAR], spacing_mm=[1.0, 1.0])
    assert score_answer(several, make_answer(several, "tuned", [near])).distance_mm is None


def test_no_box_has_the_least_giou_and_no_target_has_none() -> None:
    assert score([BOX], [], "none").giou == -1
    assert score([BOX], [BOX]).giou == 1
    assert score([], [], "none").giou is None


def test_an_empty_test_split_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(StageError, match=r"none of split 'test'.*split\.test_share"):
        examples_of_test_split([make_example(1, [BOX], split="train")])


def test_a_test_that_is_wholly_held_out_is_an_error() -> None:
    with pytest.raises(StageError, match=r"held out by evaluate\.unseen"):
        examples_of_test_split([make_example(1, [BOX], unseen=True)])


def test_a_target_outside_its_image_is_an_error() -> None:
    with pytest.raises(StageError, match="d/c001/0~1.*outside the image of 100 x 80"):
        examples_of_test_split([make_example(1, [[0, 0, 500, 10]])])
