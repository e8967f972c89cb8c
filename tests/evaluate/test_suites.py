"""Suites: who belongs to them, and what is counted."""

from __future__ import annotations

import dataclasses

import pytest

from stages.core.records import Example, Prediction
from stages.evaluate.answers import Contender, join
from stages.evaluate.bootstrap import Bootstrap, Patients
from stages.evaluate.suites import EMPTY, is_lateral, suite_rows, suites_of, swap_partners
from tests.evaluate.builders import make_answer, make_example

LEFT, RIGHT, LOW = [70.0, 10.0, 90.0, 30.0], [10.0, 10.0, 30.0, 30.0], [10.0, 50.0, 30.0, 70.0]


def siblings(*boxes: list[float], **changes: object) -> list[Example]:
    """One picture, a query for each box; the others are what else could be meant."""
    return [
        make_example(number, [box], sample_id="d/c0/0", patient_id="p", distractors_xyxy_px=[other for other in boxes if other != box], **changes)
        for number, box in enumerate(boxes)
    ]


def figures(examples: list[Example], answers: list[Prediction]) -> dict[tuple[str, str], tuple[float, int]]:
    contender = join("tuned", examples, answers, [suites_of(example) for example in examples])
    owners = Patients([f"{example.dataset}/{example.patient_id}" for example in examples])
    rows = suite_rows(examples, [contender], owners, Bootstrap(100, 0.95, 1))
    return {(row.suite, row.measure): (row.estimate.value, row.estimate.n) for row in rows}


def answered(examples: list[Example], boxes: list[list[float]]) -> list[Prediction]:
    return [make_answer(example, "tuned", [box] if box else []) for example, box in zip(examples, boxes, strict=True)]


def test_a_held_out_example_is_in_no_other_suite() -> None:
    (example,) = siblings(LEFT, unseen=True)
    assert suites_of(example) == ["unseen"]
    assert suites_of(dataclasses.replace(example, unseen=False)) == ["in_domain", "multi_object", "small"]


@pytest.mark.parametrize(
    ("label", "claims", "lateral"),
    [("left kidney", ["label"], True), ("lesion", ["label", "patient_side"], True), ("lesion", ["rank"], False), ("leftover", [], False)],
)
def test_a_query_is_lateral_when_it_names_a_side_by_label_or_claim(label: str, claims: list[str], lateral: bool) -> None:
    assert is_lateral(siblings(LEFT, RIGHT, label=label, claim_kinds=claims)[0]) == lateral


def test_a_side_without_anything_on_the_other_is_no_laterality_pair() -> None:
    assert not is_lateral(siblings(RIGHT, LOW, label="left kidney")[0])
    assert not is_lateral(siblings(RIGHT, label="left kidney")[0])


def test_taking_the_other_side_is_confusion_and_a_miss_is_not() -> None:
    examples = siblings(LEFT, RIGHT, label="left kidney")
    found = figures(examples, answered(examples, [RIGHT, [40.0, 40.0, 60.0, 60.0]]))
    assert found["laterality", "left_right_confusion_rate"] == (0.5, 2)
    assert found["laterality", "acc_at_50"] == (0.0, 2)
    assert figures(examples, answered(examples, [LEFT, RIGHT]))["laterality", "left_right_confusion_rate"] == (0.0, 2)


def test_each_sibling_has_the_next_one_as_partner() -> None:
    assert swap_partners(siblings(LEFT, RIGHT, LOW)) == {0: 1, 1: 2, 2: 0}


def test_two_queries_for_one_target_are_no_swap() -> None:
    assert swap_partners(siblings(LEFT, [*LEFT])) == {}
    assert swap_partners(siblings(LEFT, LEFT, RIGHT)) == {0: 2, 1: 2, 2: 0}


def test_queries_of_other_labels_or_pictures_are_no_siblings() -> None:
    first, second = siblings(LEFT, RIGHT)
    assert swap_partners([first, dataclasses.replace(second, label="other")]) == {}
    assert swap_partners([first, dataclasses.replace(second, sample_id="d/c1/0")]) == {}


def test_a_box_that_never_moves_is_told_from_one_that_moves_to_the_right_place() -> None:
    examples = siblings(LEFT, RIGHT, LOW)

    def swap(boxes: list[list[float]]) -> tuple[float, float]:
        found = figures(examples, answered(examples, boxes))
        return found["query_swap", "moved_rate"][0], found["query_swap", "moved_to_right_one_rate"][0]

    assert swap([LEFT, LEFT, LEFT]) == (0.0, 0.0)
    assert swap([LEFT, RIGHT, LOW]) == (1.0, 1.0)
    assert swap([RIGHT, LOW, LEFT]) == (1.0, 0.0)
    assert swap([LEFT, RIGHT, []]) == pytest.approx((1 / 3, 1 / 3))


def test_nothing_there_is_right_and_a_box_is_hallucinated() -> None:
    examples = [make_example(number, []) for number in range(4)]
    found = figures(examples, answered(examples, [LEFT, [], [], []]))
    assert found["no_target", "acc_at_50"] == (0.75, 4)
    assert found["no_target", "hallucinated_box_rate"] == (0.25, 4)


def test_every_empty_suite_says_why() -> None:
    examples = [make_example(number, [LEFT], n_same_label=1, size_bin="large", sample_id=str(number)) for number in range(4)]
    contender: Contender = join("tuned", examples, answered(examples, [LEFT] * 4), [suites_of(example) for example in examples])
    rows = suite_rows(examples, [contender], Patients(["a", "a", "b", "c"]), Bootstrap(100, 0.95, 1))
    assert {row.suite: row.note for row in rows if row.suite != "in_domain"} == EMPTY
    assert {row.estimate.n for row in rows if row.suite != "in_domain"} == {0}
