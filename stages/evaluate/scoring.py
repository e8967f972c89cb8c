"""One answer against one example, and the join of the two tables. Nothing is dropped: what does not fit is an error."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from stages.core.geometry import check_box
from stages.core.records import Example, Prediction, Score
from stages.core.stage import StageError
from stages.evaluate.matching import example_iou, floor_iou, matched_ious

log = logging.getLogger("medground")
HIT_IOU = 0.5
PARSE_FAILURES = ("malformed", "out_of_range", "wrong_count", "refusal", "invalid_box")
KNOWN_OUTCOMES = ("ok", "repaired", "none", *PARSE_FAILURES)
# Decoding to pixels rounds: a box that passes the border by less than this is inside.
BORDER_TOLERANCE_PX = 1e-3


def score_answer(example: Example, prediction: Prediction) -> Score:
    """Score one answer. A parse failure has no boxes: it is wrong, also where the right answer is "nothing there"."""
    outcome = _checked_outcome(example, prediction)
    failed = outcome in PARSE_FAILURES
    boxes = [] if failed else prediction.boxes_xyxy_px
    targets = example.boxes_xyxy_px
    wrong = failed or (not targets and outcome != "none")
    floor = 0.0 if wrong else floor_iou(boxes, targets)
    return Score(
        example_id=example.example_id,
        contender=prediction.contender,
        patient_id=f"{example.dataset}/{example.patient_id}",
        kind=example.kind,
        n_same_label=example.n_same_label,
        iou=0.0 if wrong else example_iou(boxes, targets),
        floor_iou=floor,
        hit_at_50=floor >= HIT_IOU,
        outcome=outcome,
        parse_failed=failed,
        n_boxes=len(prediction.boxes_xyxy_px),
        n_targets=len(targets),
        n_matched=int((matched_ious(boxes, targets) >= HIT_IOU).sum()),
    )


def _checked_outcome(example: Example, prediction: Prediction) -> str:
    """The parse outcome, or "invalid_box" when a box cannot be one of this image."""
    if prediction.outcome in PARSE_FAILURES:
        return prediction.outcome
    width, height = example.width + BORDER_TOLERANCE_PX, example.height + BORDER_TOLERANCE_PX
    for box in prediction.boxes_xyxy_px:
        try:
            shifted = [value + BORDER_TOLERANCE_PX if value < 0 else value for value in box]
            check_box(shifted, width, height, prediction.example_id)  # type: ignore[arg-type]
        except ValueError as error:
            log.warning("evaluate: %s: counted as invalid_box: %s", prediction.contender, error)
            return "invalid_box"
    return prediction.outcome


def score_contender(contender: str, examples: Sequence[Example], predictions: Sequence[Prediction]) -> list[Score]:
    """Scores of one contender, one per example, in the examples' order.

    Raises:
        StageError: an example has no answer or two, an answer has no example, a row names another contender, or an
            outcome is none of KNOWN_OUTCOMES.
    """
    _check_rows(contender, examples, predictions)
    answers = {prediction.example_id: prediction for prediction in predictions}
    return [score_answer(example, answers[example.example_id]) for example in examples]


def _check_rows(contender: str, examples: Sequence[Example], predictions: Sequence[Prediction]) -> None:
    where = f"data/predictions/{contender}"
    wanted = {example.example_id for example in examples}
    counts = Counter(prediction.example_id for prediction in predictions)
    foreign = {prediction.contender for prediction in predictions} - {contender}
    problems = {
        "test examples without a prediction": sorted(wanted - set(counts)),
        "predictions for ids that are not test examples": sorted(set(counts) - wanted),
        "ids predicted more than once": sorted(key for key, count in counts.items() if count > 1),
        "rows of another contender": sorted(foreign),
        f"outcomes other than {', '.join(KNOWN_OUTCOMES)}": sorted({row.outcome for row in predictions} - set(KNOWN_OUTCOMES)),
    }
    found = [f"{len(ids)} {what}: {', '.join(ids[:5])}{' ...' if len(ids) > 5 else ''}" for what, ids in problems.items() if ids]
    if found:
        remedy = f"predictions and corpus are not of one run: `dvc repro predict@{contender}`"
        raise StageError(f"{where}: {'; '.join(found)}. {remedy}")


def examples_of_test_split(examples: Sequence[Example]) -> list[Example]:
    """The test split in id order, its target boxes checked.

    Raises:
        StageError: the split is empty, or a target box is not one of its image.
    """
    chosen = sorted((example for example in examples if example.split == "test"), key=lambda example: example.example_id)
    if not chosen:
        raise StageError(
            f"data/corpus/examples holds {len(examples)} examples and none of split 'test': "
            "give more patients, or raise split.test_share in params.yaml"
        )
    for example in chosen:
        for box in example.boxes_xyxy_px:
            try:
                check_box(box, example.width, example.height, f"data/corpus/examples: {example.example_id}")
            except ValueError as error:
                raise StageError(f"{error}. The corpus is damaged: `dvc repro split`") from error
    return chosen
