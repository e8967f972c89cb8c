"""Average precision against a plain reading of COCO's rules."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.geometry import iou
from stages.evaluate.answers import join
from stages.evaluate.precision import average_precision, precision_rows
from tests.evaluate.builders import make_answer, make_example
from tests.evaluate.test_matching import boxes

IMAGES = st.lists(st.tuples(st.lists(st.tuples(boxes(), st.sampled_from([0.1, 0.3, 0.6, 0.9])), max_size=3), st.lists(boxes(), max_size=2)), min_size=1, max_size=4)


def plain_ap(detections: list, targets: list, threshold: float) -> float:
    """Greedy matching by falling confidence, precision made monotone, read at 101 recalls."""
    order = sorted(((score, image, box) for image, drawn in enumerate(detections) for box, score in sorted(drawn, key=lambda d: -d[1])), key=lambda d: -d[0])
    taken: set[tuple[int, int]] = set()
    right = []
    for _, image, box in order:
        free = [(iou(box, target), -at) for at, target in enumerate(targets[image]) if (image, at) not in taken]
        best = max(free, default=(0.0, 0), key=lambda pair: (pair[0], -pair[1]))
        right.append(best[0] >= threshold)
        if right[-1]:
            taken.add((image, -best[1]))
    hits = np.cumsum(right)
    recall, precision = hits / sum(map(len, targets)), hits / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.mean([precision[at] if at < len(precision) else 0.0 for at in places]))


@settings(deadline=None, max_examples=30)
@given(IMAGES)
def test_ap50_is_that_of_a_plain_loop(images: list) -> None:
    detections, targets = [drawn for drawn, _ in images], [wanted for _, wanted in images]
    if not any(targets) or not any(detections):
        return
    ap, ap50 = average_precision(detections, targets)
    assert 0 <= ap <= ap50 + 1e-9 <= 1 + 2e-9
    assert ap50 == pytest.approx(plain_ap(detections, targets, 0.5), abs=1e-6)


@given(st.lists(boxes(), min_size=1, max_size=4, unique_by=tuple))
@settings(deadline=None, max_examples=15)
def test_every_target_drawn_is_one_and_nothing_drawn_is_zero(targets: list) -> None:
    assert average_precision([[(box, 0.5)] for box in targets], [[box] for box in targets]) == pytest.approx((1, 1))
    assert average_precision([[] for _ in targets], [[box] for box in targets]) == (0.0, 0.0)


def test_a_wrong_box_costs_more_the_more_confident_it_is() -> None:
    target, far = [0.0, 0.0, 10.0, 10.0], [40.0, 40.0, 50.0, 50.0]
    sure, unsure = ([[(target, 0.5)], [(far, certain)]] for certain in (0.9, 0.1))
    assert average_precision(unsure, [[target], []])[1] > average_precision(sure, [[target], []])[1] == pytest.approx(0.5)


def test_groups_are_all_several_and_each_modality_without_what_is_held_out() -> None:
    box = [10.0, 10.0, 30.0, 40.0]
    examples = [make_example(number, [box], n_same_label=1 + number % 2) for number in range(6)]
    examples.append(make_example(6, [box], modality="mr", unseen=True))
    found = precision_rows(examples, [join("tuned", examples, [make_answer(example, "tuned", [box]) for example in examples])])
    assert [(row.group, row.n_targets, row.ap50) for row in found] == [
        ("all", 6, 1.0), ("several of the class", 3, 1.0), ("ct", 3, 1.0), ("xray", 3, 1.0)
    ]  # fmt: skip


def test_an_answer_that_is_no_reading_has_no_boxes() -> None:
    box = [10.0, 10.0, 30.0, 40.0]
    examples = [make_example(number, [box]) for number in range(2)]
    rows = [make_answer(examples[0], "tuned", [box]), dataclasses.replace(make_answer(examples[1], "tuned", [box]), outcome="wrong_count")]
    (whole, *_) = precision_rows(examples, [join("tuned", examples, rows)])
    assert whole.ap50 == pytest.approx(51 / 101)
