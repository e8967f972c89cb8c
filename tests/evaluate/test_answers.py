"""Anybody's predictions: what does not fit is counted by kind, and nothing is dropped."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from stages.core.records import Prediction
from stages.core.stage import StageError
from stages.evaluate.answers import join
from stages.evaluate.bootstrap import Patients
from stages.evaluate.measures import MEASURES, ratio_of
from tests.evaluate.builders import make_answer, make_example

BOX = [10.0, 10.0, 30.0, 40.0]
EXAMPLES = [make_example(number, [BOX]) for number in range(8)]


def kinds(contender) -> dict[str, int]:
    return dict(Counter(error.kind for error in contender.errors))


def test_missing_double_and_unknown_ids_and_impossible_boxes_are_counted_by_kind() -> None:
    rows = [make_answer(example, "theirs", [BOX]) for example in EXAMPLES]
    broken = [
        *rows[:2],
        rows[2], rows[2],
        dataclasses.replace(rows[4], boxes_xyxy_px=[[math.nan, 0, 1, 1]]),
        dataclasses.replace(rows[5], boxes_xyxy_px=[[30, 10, 10, 40]]),
        dataclasses.replace(rows[6], boxes_xyxy_px=[[0, 0, 500, 40]]),
        dataclasses.replace(rows[7], scores=[7.0]),
        dataclasses.replace(rows[0], example_id="d/c999/0~1"),
    ]  # fmt: skip
    found = join("theirs", EXAMPLES, broken)
    expected = {"missing": 1, "duplicate": 1, "box_not_finite": 1, "box_reversed": 1, "box_outside": 1, "unknown_id": 1, "no_confidence": 1}
    assert kinds(found) == expected
    assert len(found.scores) == len(EXAMPLES)
    assert [score.hit_at_50 for score in found.scores] == [True, True, False, False, False, False, False, True]


def test_rows_of_another_name_are_scored_under_the_folder_and_told() -> None:
    found = join("theirs", EXAMPLES, [make_answer(example, "base", [BOX]) for example in EXAMPLES])
    assert {score.contender for score in found.scores} == {"theirs"}
    assert kinds(found) == {"other_contender": 8}


def test_a_table_that_answers_nothing_of_the_test_is_an_error() -> None:
    foreign = [dataclasses.replace(make_answer(example, "theirs", [BOX]), example_id=f"x{number}") for number, example in enumerate(EXAMPLES)]
    with pytest.raises(StageError, match="none of its 8 rows answers a test example"):
        join("theirs", EXAMPLES, foreign)


def test_a_mirrored_answer_agrees_when_it_is_mirrored() -> None:
    examples = EXAMPLES[:4]
    rows = [make_answer(example, "theirs", [BOX]) for example in examples]
    mirrored = [[70.0, 10.0, 90.0, 40.0]]
    probes = [
        dataclasses.replace(rows[0], probe="flipped", boxes_xyxy_px=mirrored),
        dataclasses.replace(rows[1], probe="flipped"),
        dataclasses.replace(rows[2], probe="flipped", boxes_xyxy_px=[[70.0, 10.0, 990.0, 40.0]]),
        dataclasses.replace(rows[3], probe="flipped", boxes_xyxy_px=[], scores=[], outcome="none"),
    ]
    found = join("theirs", examples, [*rows, *probes])
    assert found.flip_agrees == {0: True, 1: False, 2: False, 3: False}
    assert [found.probes["flipped"][index].hit_at_50 for index in range(4)] == [True, False, False, False]
    assert all(score.hit_at_50 for score in found.scores)


def test_an_answer_of_nothing_there_agrees_with_itself_mirrored() -> None:
    row = make_answer(EXAMPLES[0], "theirs", [])
    assert join("theirs", EXAMPLES[:1], [row, dataclasses.replace(row, probe="flipped")]).flip_agrees == {0: True}


def test_the_accuracy_that_a_published_log_states_is_reproduced(tmp_path: Path) -> None:
    """A log as evaluation scripts write it: a line an answer, with its own IoU, and the total at the end; a failed parse is an empty box."""
    log = tmp_path / "log.jsonl"
    answers = [[10, 10, 30, 40], [12, 10, 30, 40], [10, 10, 20, 40], [60, 50, 80, 70], None, [10, 10, 29, 38], [11, 11, 31, 41], [0, 0, 100, 80]]
    ious = [1.0, 0.9, 0.5, 0.0, 0.0, 532 / 600, 551 / 649, 0.075]
    lines = [{"id": example.example_id, "pred": box, "iou": value} for example, box, value in zip(EXAMPLES, answers, ious, strict=True)]
    log.write_text("\n".join(json.dumps(line) for line in [*lines, {"Acc@0.5": 0.625, "mIoU": sum(ious) / 8}]), encoding="utf-8")
    *read, claimed = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    rows = [
        Prediction(line["id"], "log", "", [line["pred"]] if line["pred"] else [], [1.0] if line["pred"] else [], "ok" if line["pred"] else "malformed", 0) for line in read
    ]
    found = join("log", EXAMPLES, rows)
    assert [score.iou for score in found.scores] == pytest.approx([line["iou"] for line in read])
    owners, whole = Patients([score.patient_id for score in found.scores]), np.ones(8, bool)
    assert ratio_of(MEASURES["acc_at_50"], found.scores, whole, owners).value == claimed["Acc@0.5"]
    assert ratio_of(MEASURES["miou"], found.scores, whole, owners).value == pytest.approx(claimed["mIoU"])
    assert ratio_of(MEASURES["parse_failure_rate"], found.scores, whole, owners).value == 1 / 8
