"""What holds for every measure, whatever the answers: bounds, best and worst answers, order of thresholds, invariances."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.records import Example, Prediction, Score
from stages.evaluate.bootstrap import Bootstrap, Patients
from stages.evaluate.measures import GAINS, IMAGE_DIAGONAL_MM, MEASURES, contender_table, paired, ratio_of, threshold_curve
from stages.evaluate.scoring import FAILURES, score_answer
from tests.evaluate.builders import make_answer, make_example
from tests.evaluate.test_matching import boxes

# Higher is better, lower is better; the rest tells how an answer came about.
GAIN = {key for key in MEASURES if "acc" in key or "miou" in key or "f1" in key or key in ("pointing", "giou", "precision", "recall", "several_targets_exact")}
COST = {"wrong_object_rate", "hallucinated_box_rate", "false_none_rate", "distance_mm", "parse_failure_rate"}


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[Example], list[Prediction]]:
    """Up to five questions about one, several or no objects, with answers of any kind."""
    examples, answers = [], []
    for number in range(draw(st.integers(1, 5))):
        targets, drawn = (draw(st.lists(boxes(), max_size=3, unique_by=tuple)) for _ in range(2))
        example = make_example(number, targets, spacing_mm=[0.5, 2.0], distractors_xyxy_px=draw(st.lists(boxes(), max_size=2)), width=100, height=100)
        close = [[x0, y0, x1, y1 + 0.25] for x0, y0, x1, y1 in targets]
        outcome = draw(st.sampled_from([None, None, None, "malformed"]))
        examples.append(example)
        answers.append(make_answer(example, "tuned", draw(st.sampled_from([targets, close, drawn])), outcome))
    return examples, answers


def scored(examples: list[Example], answers: list[Prediction]) -> list[Score]:
    return [score_answer(example, answer) for example, answer in zip(examples, answers, strict=True)]


def values(scores: list[Score]) -> dict[str, float]:
    """Every measure that is about some example."""
    owners, whole = Patients([score.patient_id for score in scores]), np.ones(len(scores), bool)
    found = {key: ratio_of(measure, scores, whole, owners) for key, measure in MEASURES.items()}
    return {key: ratio.value for key, ratio in found.items() if ratio.n}


def test_every_measure_has_a_definition_and_a_sense() -> None:
    assert all(measure.title and measure.meaning.endswith((".", "free.")) for measure in MEASURES.values())
    assert set(MEASURES) == GAIN | COST | {"steered_rate"}


@settings(deadline=None, max_examples=25)
@given(asked())
def test_every_measure_stays_in_its_bounds(case: tuple[list[Example], list[Prediction]]) -> None:
    for key, value in values(scored(*case)).items():
        low, high = MEASURES[key].bounds
        assert low - 1e-9 <= value <= high + 1e-9, key
    assert MEASURES["distance_mm"].bounds == (0.0, IMAGE_DIAGONAL_MM)


@settings(deadline=None, max_examples=20)
@given(asked())
def test_perfect_answers_have_the_best_value_of_every_measure_and_failures_the_worst(case: tuple[list[Example], list[Prediction]]) -> None:
    examples, _ = case
    best = values(scored(examples, [make_answer(example, "tuned", example.boxes_xyxy_px) for example in examples]))
    worst = values(scored(examples, [make_answer(example, "tuned", [], "malformed") for example in examples]))
    assert {key for key in GAIN & set(best) if best[key] != pytest.approx(1)} == set()
    assert {key for key in COST & set(best) if best[key] > 1e-9} == set()
    assert {key for key in GAIN & set(worst) if worst[key] > 1e-9} == set()
    assert worst["parse_failure_rate"] == 1


@settings(deadline=None, max_examples=25)
@given(asked())
def test_a_stricter_threshold_never_helps(case: tuple[list[Example], list[Prediction]]) -> None:
    scores = scored(*case)
    found = values(scores)
    assert found["acc_at_25"] >= found["acc_at_50"] >= found["acc_at_75"]
    assert found["acc_at_50"] + 1e-9 >= found["acc_at_50_95"]
    curve = threshold_curve(scores)
    assert [share for _, share in curve] == sorted((share for _, share in curve), reverse=True)
    assert dict(curve)[0.75] == pytest.approx(found["acc_at_75"])
    assert found["acc_at_50_95"] == pytest.approx(np.mean([share for at, share in curve if at >= 0.5]))


@settings(deadline=None, max_examples=25)
@given(asked())
def test_f1_is_the_harmonic_mean_of_precision_and_recall(case: tuple[list[Example], list[Prediction]]) -> None:
    found = values(scored(*case))
    if found.get("precision", 0) + found.get("recall", 0) > 0:
        assert found["f1"] == pytest.approx(2 * found["precision"] * found["recall"] / (found["precision"] + found["recall"]))


@settings(deadline=None, max_examples=20)
@given(asked(), st.sampled_from(FAILURES), st.integers(0, 4))
def test_an_answer_that_cannot_be_read_stays_in_the_denominator_and_never_helps(case: tuple[list[Example], list[Prediction]], outcome: str, place: int) -> None:
    examples, answers = case
    at = place % len(answers)
    spoilt = [dataclasses.replace(answer, outcome=outcome) if index == at else answer for index, answer in enumerate(answers)]
    before, after = values(scored(examples, answers)), values(scored(examples, spoilt))
    assert set(before) - {"distance_mm"} == set(after) - {"distance_mm"}
    assert {key for key in GAIN if after.get(key, 0) > before.get(key, 0) + 1e-9} == set()
    assert after["parse_failure_rate"] >= 1 / len(answers) - 1e-9


@settings(deadline=None, max_examples=25)
@given(asked(), st.sampled_from([0.5, 2.0, 4.0]), st.randoms(use_true_random=False))
def test_no_measure_depends_on_the_pictures_scale_or_on_the_order(case: tuple[list[Example], list[Prediction]], scale: float, random) -> None:
    """Pixels that are half as large in millimetres: also the distance stays."""
    examples, answers = case

    def scaled(listed: list[list[float]]) -> list[list[float]]:
        return [[value * scale for value in box] for box in listed]

    order = random.sample(range(len(examples)), len(examples))
    side = int(100 * scale)
    grown = [
        dataclasses.replace(
            example,
            boxes_xyxy_px=scaled(example.boxes_xyxy_px), distractors_xyxy_px=scaled(example.distractors_xyxy_px),
            width=side, height=side, spacing_mm=[0.5 / scale, 2.0 / scale],
        )
        for example in examples
    ]  # fmt: skip
    turned = [dataclasses.replace(answer, boxes_xyxy_px=scaled(answer.boxes_xyxy_px)) for answer in answers]
    assert values(scored([grown[at] for at in order], [turned[at] for at in order])) == pytest.approx(values(scored(examples, answers)))


def test_a_box_for_what_is_not_there_is_hallucinated_and_an_extra_one_is_not_forgiven() -> None:
    box, far = [10.0, 10.0, 30.0, 40.0], [60.0, 50.0, 80.0, 70.0]
    examples = [make_example(0, []), make_example(1, []), make_example(2, [box, far]), make_example(3, [box, far])]
    answers = [make_answer(examples[0], "t", [box]), make_answer(examples[1], "t", []), make_answer(examples[2], "t", [far, box])]
    answers.append(make_answer(examples[3], "t", [box, far, [0.0, 0.0, 5.0, 5.0]]))
    found = values(scored(examples, answers))
    assert (found["hallucinated_box_rate"], found["no_target_acc"], found["several_targets_exact"]) == (0.5, 0.5, 0.5)
    assert found["several_targets_f1"] == pytest.approx(2 * 4 / (5 + 4))
    assert (found["precision"], found["recall"]) == (pytest.approx(4 / 6), 1.0)


def test_pairs_run_from_gains_to_the_rest_and_are_signed() -> None:
    box, far = [10.0, 10.0, 30.0, 40.0], [60.0, 50.0, 80.0, 70.0]
    examples = [make_example(number, [box]) for number in range(12)]
    share = {"base": 3, "tuned": 12, "control": 6, "theirs": 9}
    scores = {
        name: scored(examples, [make_answer(example, name, [box if number < right else far]) for number, example in enumerate(examples)]) for name, right in share.items()
    }
    owners, whole, how = Patients([example.patient_id for example in examples]), np.ones(12, bool), Bootstrap(100, 0.95, 1)
    pairs = [pair for pair in paired(scores, whole, owners, how) if pair.measure == "acc_at_50"]
    assert [(pair.first, pair.second) for pair in pairs[:2]] == list(GAINS)
    assert len(pairs) == 6 and {frozenset((pair.first, pair.second)) for pair in pairs} == {frozenset(two) for two in [(a, b) for a in share for b in share if a < b]}
    for pair in pairs:
        assert pair.difference.value == pytest.approx((share[pair.first] - share[pair.second]) / 12)
    table = contender_table(scores, whole, owners, how)
    assert {name: table[name]["acc_at_50"].value for name in share} == {name: right / 12 for name, right in share.items()}
