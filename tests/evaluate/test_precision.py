"""Average precision against pycocotools and a plain reading of COCO's rules, and its draws against repeated queries."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stages.core.geometry import iou
from stages.evaluate.answers import join
from stages.evaluate.bootstrap import Bootstrap, Patients, patient_weights
from stages.evaluate.precision import MOST_DRAWS, Matched, _evaluated, _interval, matched, mean_precision, precision_rows
from tests.evaluate.builders import make_answer, make_example
from tests.evaluate.test_matching import boxes

IMAGES = st.lists(st.tuples(st.lists(st.tuples(boxes(), st.sampled_from([0.1, 0.3, 0.6, 0.9])), max_size=3), st.lists(boxes(), max_size=2)), min_size=1, max_size=4)


HOW = Bootstrap(120, 0.95, 1)


def average_precision(detections: list, targets: list) -> tuple[float, float]:
    """AP and AP50 of one category, every image as it is."""
    table = matched(detections, targets, np.arange(len(targets)))
    ap, ap50 = mean_precision([table], np.ones((1, len(targets))))[0]
    return float(ap), float(ap50)


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


@settings(deadline=None, max_examples=30)
@given(IMAGES)
def test_without_weights_it_is_what_pycocotools_accumulates(images: list) -> None:
    detections, targets = [drawn for drawn, _ in images], [wanted for _, wanted in images]
    if not any(targets) or not any(detections):
        return
    run = _evaluated(detections, targets)
    run.accumulate()
    precision = run.eval["precision"][:, :, 0, 0, -1]
    assert average_precision(detections, targets) == pytest.approx((precision.mean(), precision[0].mean()), abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(IMAGES, st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_a_draw_counts_a_query_as_often_as_its_patient_was_drawn(images: list, times: list[int]) -> None:
    """Twice the same query is not the same as one query with twice the boxes: copies stand apart and match their own targets.

    Between boxes of one query that are equally sure the order is arbitrary, so there are none here.
    """
    assume(all(len({score for _, score in detections}) == len(detections) for detections, _ in images))
    drawn, wanted = [detections for detections, _ in images], [targets for _, targets in images]
    repeated = [image for image, count in zip(images, times, strict=False) for _ in range(count)]
    if not any(wanted):
        return
    table = matched(drawn, wanted, np.arange(len(images)))
    (found,) = mean_precision([table], np.array([times[: len(images)]], float))
    if any(targets for _, targets in repeated):
        assert found == pytest.approx(average_precision([d for d, _ in repeated], [t for _, t in repeated]), abs=1e-9)
    else:
        assert np.isnan(found).all()


def test_a_label_that_a_draw_has_no_target_of_is_left_out_of_its_mean() -> None:
    box, far = [0.0, 0.0, 10.0, 10.0], [40.0, 40.0, 50.0, 50.0]
    found = matched([[(box, 0.9)]], [[box]], np.array([0]))
    lost = matched([[(far, 0.9)]], [[box]], np.array([1]))
    drawn = mean_precision([found, lost], np.array([[1, 1], [1, 0], [0, 1]], np.uint16))
    assert np.allclose(drawn, [[0.5, 0.5], [1, 1], [0, 0]])
    assert np.isnan(mean_precision([found, lost], np.zeros((1, 2)))).all()


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
    found = precision_rows(examples, [join("tuned", examples, [make_answer(example, "tuned", [box]) for example in examples])], patients_of(examples), HOW)
    assert [(row.group, row.n_targets, row.ap50.value) for row in found] == [
        ("all", 6, 1.0), ("several of the class", 3, 1.0), ("ct", 3, 1.0), ("xray", 3, 1.0)
    ]  # fmt: skip


def test_an_answer_that_is_no_reading_has_no_boxes() -> None:
    box = [10.0, 10.0, 30.0, 40.0]
    examples = [make_example(number, [box]) for number in range(2)]
    rows = [make_answer(examples[0], "tuned", [box]), dataclasses.replace(make_answer(examples[1], "tuned", [box]), outcome="wrong_count")]
    (whole, *_) = precision_rows(examples, [join("tuned", examples, rows)], patients_of(examples), HOW)
    assert whole.ap50.value == pytest.approx(51 / 101)


def test_the_interval_holds_the_value_and_takes_a_thousand_draws_at_most() -> None:
    box, far = [10.0, 10.0, 30.0, 40.0], [60.0, 50.0, 80.0, 70.0]
    examples = [make_example(number, [box], label="a" if number % 3 else "b") for number in range(40)]
    answers = [make_answer(example, "tuned", [box if number % 5 else far]) for number, example in enumerate(examples)]
    rows = precision_rows(examples, [join("tuned", examples, answers)], patients_of(examples), Bootstrap(100_000, 0.95, 1))
    for row in rows:
        for found in (row.ap, row.ap50):
            assert 0 <= found.low <= found.value <= found.high <= 1 and found.low < found.high
        assert (row.draws, row.ap.patients) == (MOST_DRAWS, 10)


def test_where_nothing_is_found_the_interval_is_the_exact_bound_of_a_recall_of_zero() -> None:
    box, far = [10.0, 10.0, 30.0, 40.0], [60.0, 50.0, 80.0, 70.0]
    examples = [make_example(number, [box]) for number in range(40)]
    (lost, *_) = precision_rows(examples, [join("tuned", examples, [make_answer(example, "tuned", [far]) for example in examples])], patients_of(examples), HOW)
    assert (lost.ap50.value, lost.ap50.low) == (0.0, 0.0)
    assert lost.ap50.high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_one_patient_says_nothing_about_the_spread_and_no_target_gives_no_nan() -> None:
    box = [10.0, 10.0, 30.0, 40.0]
    (one, *_) = precision_rows(*rows_of_one([box]), HOW)
    assert (one.ap.value, one.ap.low, one.ap.high) == (1.0, 0.0, 1.0)
    (none, *_) = precision_rows(*rows_of_one([]), HOW)
    assert (none.ap.value, none.ap.low, none.ap.high, none.n_labels) == (0.0, 0.0, 1.0, 0)


def rows_of_one(targets: list) -> tuple:
    examples = [make_example(0, targets)]
    return examples, [join("tuned", examples, [make_answer(examples[0], "tuned", targets)])], patients_of(examples)


def patients_of(examples: list) -> Patients:
    return Patients([example.patient_id for example in examples])


def sure_and_right(generator: np.random.Generator, patients: int, each: int) -> Matched:
    """Boxes whose chance to be right grows a little with their confidence, and which resemble each other within a patient."""
    owner = np.repeat(np.arange(patients), each)
    sure = generator.normal(0, 1, len(owner)) + np.repeat(generator.normal(0, 0.8, patients), each)
    overlap = 1 / (1 + np.exp(-0.4 * sure - generator.normal(0, 1.5, len(owner))))
    right = overlap[None] >= np.arange(0.5, 1.0, 0.05)[:, None]
    order = np.argsort(-sure)
    return Matched(right[:, order], owner[order], owner)


def coverage(patients_of_labels: list[int], truth: np.ndarray, tests: int) -> tuple[np.ndarray, np.ndarray]:
    """Shares of small tests whose interval of (AP, AP50) holds the truth: as we make it, and of plain percentiles."""
    generator, covered, naive = np.random.default_rng(0), np.zeros(2), np.zeros(2)
    for trial in range(tests):
        tables = []
        for count in patients_of_labels:
            table, before = sure_and_right(generator, count, 5), sum(len(set(made.target_owner)) for made in tables)
            tables.append(Matched(table.right, table.box_owner + before, table.target_owner + before))
        everybody = sum(patients_of_labels)
        value = mean_precision(tables, np.ones((1, everybody)))[0]
        drawn = mean_precision(tables, patient_weights(everybody, Bootstrap(120, 0.95, trial)))
        made = [_interval(float(value[at]), drawn[:, at], 1, everybody, 0.95) for at in (0, 1)]
        covered += [found.low <= true <= found.high for found, true in zip(made, truth, strict=True)]
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        naive += (low <= truth) & (truth <= high)
    return covered / tests, naive / tests


def test_intervals_of_average_precision_cover_the_truth_where_percentiles_do_not() -> None:
    """A nominal 95% is 94 of 100 with fifty patients; with labels of three to ten 79 to 86, and 58 to 68 by percentiles."""
    truth = mean_precision([sure_and_right(np.random.default_rng(1), 3000, 5)], np.ones((1, 3000)))[0]
    many, _ = coverage([50], truth, 100)
    few, naive = coverage([3, 4, 6, 10, 3, 5], truth, 100)
    assert (many >= 0.88).all() and (few >= 0.72).all()
    assert (naive < few - 0.05).all()
