from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.geometry import check_box
from stages.core.stage import StageError
from stages.evaluate.baselines import baseline_predictions, centre_box, label_boxes, mean_boxes, random_box, relative_sizes
from tests.evaluate.builders import make_example


def test_the_centre_box_has_the_median_size_of_the_training_boxes() -> None:
    train = [make_example(n, [[0, 0, side, side]]) for n, side in enumerate((10.0, 20.0, 60.0))]
    (answer,) = baseline_predictions([make_example(9, [], width=200, height=40)], train, 1)["centre"]
    assert answer.boxes_xyxy_px[0] == pytest.approx([80, 15, 120, 25])


@given(st.integers(0, 500), st.floats(0.01, 1), st.floats(0.01, 1))
def test_baseline_boxes_lie_inside_the_image(number: int, share_x: float, share_y: float) -> None:
    example = make_example(number, [], width=97, height=41)
    sizes = relative_sizes([make_example(0, [[0, 0, share_x * 100, share_y * 80]])])
    for box in (random_box(example, sizes, 3), centre_box(example, sizes[0])):
        check_box(box, 97, 41, "baseline")


def test_the_random_box_depends_on_the_id_and_not_on_the_order() -> None:
    train = [make_example(50, [[0, 0, 9, 9]])]
    examples = [make_example(n, []) for n in range(4)]
    forwards = baseline_predictions(examples, train, 1)["random"]
    backwards = baseline_predictions(examples[::-1], train, 1)["random"]
    assert forwards == backwards[::-1]
    assert len({tuple(answer.boxes_xyxy_px[0]) for answer in forwards}) == 4


def test_no_training_box_is_an_error() -> None:
    with pytest.raises(StageError, match="no target box in split 'train'"):
        baseline_predictions([make_example(1, [])], [], 1)


def test_the_mean_box_is_that_of_the_label_and_for_a_pair_there_are_two() -> None:
    train = [
        make_example(0, [[0, 0, 20, 20]], label="left kidney"),
        make_example(1, [[20, 0, 40, 20]], label="left kidney"),
        make_example(2, [[80, 40, 100, 80]], label="right kidney"),
    ]
    means = mean_boxes(train)
    pair = make_example(9, [], width=200, label="left kidney|right kidney")
    assert label_boxes(pair, means) == [pytest.approx([20, 0, 60, 20]), pytest.approx([160, 40, 200, 80])]


def test_the_mean_box_of_an_unknown_label_is_that_of_all() -> None:
    means = mean_boxes([make_example(0, [[0, 0, 20, 20]], label="a"), make_example(1, [[40, 40, 60, 60]], label="b")])
    assert label_boxes(make_example(9, [], label="c"), means) == [pytest.approx([20, 20, 40, 40])]
