"""Anybody's predictions, joined with the test examples: every example gets one score, every row that does not fit is counted."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.core.geometry import check_box
from stages.core.mirror import mirrored_box
from stages.core.records import Example, ItemError, Prediction, Score
from stages.core.stage import StageError
from stages.evaluate.folders import BASELINES, PREDICTIONS
from stages.evaluate.matching import floor_iou
from stages.evaluate.scoring import FAILURES, HIT_IOU, are_confidences, checked_outcome, score_answer

log = logging.getLogger("medground")
FLIPPED = "flipped"


@dataclass(frozen=True)
class Contender:
    """The answers of one contender. ``scores`` and ``answers`` stand in the order of the examples.

    ``probes``: per probe, the scores of the examples (by their place) that were asked that way; ``flip_agrees``: whether
    the answers to the picture and to its mirror image are the same boxes. ``errors`` lists the rows that do not fit.
    """

    name: str
    scores: list[Score]
    answers: list[Prediction]
    probes: dict[str, dict[int, Score]]
    flip_agrees: dict[int, bool]
    errors: list[ItemError]

    @property
    def is_baseline(self) -> bool:
        """Whether it answers without looking."""
        return self.name in BASELINES


def join(name: str, examples: Sequence[Example], rows: Sequence[Prediction], suites: Sequence[Sequence[str]] | None = None) -> Contender:
    """Score the rows of one contender against the examples; ``suites`` are those of each example.

    An example without a row is scored as ``missing``, one with several as ``duplicate``; rows of no example are listed as errors.

    Raises:
        StageError: no row belongs to any example.
    """
    place = {example.example_id: index for index, example in enumerate(examples)}
    plain = [row for row in rows if not row.probe]
    if not any(row.example_id in place for row in plain):
        raise StageError(
            f"{PREDICTIONS / name}: none of its {len(plain)} rows answers a test example: predictions and corpus are not of one run. "
            f"`dvc repro`, or import them again, or remove the folder"
        )
    counts = Counter(row.example_id for row in plain)
    by_id = {row.example_id: row for row in plain}
    answers = [_answer(example.example_id, name, by_id, counts) for example in examples]
    listed = suites or [()] * len(examples)
    scores = [score_answer(example, answer, own) for example, answer, own in zip(examples, answers, listed, strict=True)]
    errors = [*_misfits(name, scores, [row for row in rows if row.example_id not in place]), *_odd_rows(name, rows)]
    probes, agrees = _probes(examples, scores, answers, [row for row in rows if row.probe and row.example_id in place])
    _warn(name, errors)
    return Contender(name, scores, answers, probes, agrees, errors)


def _answer(example_id: str, name: str, rows: Mapping[str, Prediction], counts: Mapping[str, int]) -> Prediction:
    """The only row of an example, or an empty one that says why there is no such row."""
    if counts.get(example_id) == 1:
        return dataclasses.replace(rows[example_id], contender=name)
    return Prediction(example_id, name, "", [], [], "duplicate" if example_id in counts else "missing", 0)


def _misfits(name: str, scores: Sequence[Score], foreign: Sequence[Prediction]) -> list[ItemError]:
    """Answers with a fault of form as error values, and rows of no test example."""
    where = (PREDICTIONS / name).as_posix()
    faults = [ItemError(score.example_id, "evaluate", score.outcome, where, "scored as wrong") for score in scores if score.outcome in FAILURES]
    return faults + [ItemError(row.example_id, "evaluate", "unknown_id", where, "no test example has this id: not scored") for row in foreign]


def _odd_rows(name: str, rows: Sequence[Prediction]) -> list[ItemError]:
    """Rows that are scored and yet odd: no confidences in [0, 1], or the name of another contender."""
    where = (PREDICTIONS / name).as_posix()
    odd = [row for row in rows if row.boxes_xyxy_px and not are_confidences(row.scores, row.boxes_xyxy_px)]
    renamed = [row for row in rows if row.contender != name]
    return [
        *(ItemError(row.example_id, "evaluate", "no_confidence", where, "not one score in [0, 1] a box: out of calibration, equal in AP") for row in odd),
        *(ItemError(row.example_id, "evaluate", "other_contender", where, f"the row names {row.contender!r}") for row in renamed),
    ]


def _probes(
    examples: Sequence[Example], scores: Sequence[Score], answers: Sequence[Prediction], rows: Sequence[Prediction]
) -> tuple[dict[str, dict[int, Score]], dict[int, bool]]:
    """Scores of the probes. Mirrored boxes are mirrored back, and compared with the plain answer.

    Two answers agree when they are the same boxes by an IoU of at least 0.5, or both "nothing there"; a failure agrees with nothing.
    """
    place = {example.example_id: index for index, example in enumerate(examples)}
    probes: dict[str, dict[int, Score]] = {}
    agrees: dict[int, bool] = {}
    for row in rows:
        index = place[row.example_id]
        turned = _turned_back(row, examples[index]) if row.probe == FLIPPED else row
        score = probes.setdefault(row.probe, {})[index] = score_answer(examples[index], turned)
        if row.probe == FLIPPED:
            same = floor_iou(answers[index].boxes_xyxy_px, turned.boxes_xyxy_px) >= HIT_IOU
            agrees[index] = same and not (score.parse_failed or scores[index].parse_failed)
    return probes, agrees


def _turned_back(row: Prediction, example: Example) -> Prediction:
    """The answer to a mirrored picture in the pixels of the original; one with an impossible box stays as it is."""
    if checked_outcome(example, row) in FAILURES:
        return row
    inside = [[max(x0, 0.0), y0, min(x1, float(example.width)), y1] for x0, y0, x1, y1 in row.boxes_xyxy_px]
    return dataclasses.replace(row, boxes_xyxy_px=[mirrored_box(box, example.width) for box in inside])


def _warn(name: str, errors: Sequence[ItemError]) -> None:
    for kind, count in sorted(Counter(error.kind for error in errors).items()):
        first = next(error.item_id for error in errors if error.kind == kind)
        log.warning("evaluate: %s: %d %s, the first is %s", name, count, kind, first)


def examples_of_test_split(examples: Sequence[Example]) -> list[Example]:
    """The test split in id order, its target boxes checked.

    Raises:
        StageError: the split is empty or wholly held out as unseen, or a target box is not one of its image.
    """
    chosen = sorted((example for example in examples if example.split == "test"), key=lambda example: example.example_id)
    if not chosen:
        raise StageError(f"data/corpus/examples holds {len(examples)} examples and none of split 'test': give more patients, or raise split.test_share in params.yaml")
    if all(example.unseen for example in chosen):
        raise StageError("every test example is held out by evaluate.unseen: there is no in-domain test to compare with. Hold out less")
    for example in chosen:
        for box in example.boxes_xyxy_px:
            try:
                check_box(box, example.width, example.height, f"data/corpus/examples: {example.example_id}")
            except ValueError as error:
                raise StageError(f"{error}. The corpus is damaged: `dvc repro split`") from error
    return chosen
