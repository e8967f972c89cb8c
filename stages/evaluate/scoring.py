"""One answer against one example. Nothing is dropped: what cannot be an answer has an outcome that says so, and is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stages.core.geometry import iou
from stages.core.records import Example, Prediction, Score
from stages.evaluate.matching import example_iou, floor_iou, matched_ious
from stages.evaluate.overlap import centre_distance_mm, giou, points_into

HIT_IOU = 0.5
# The codecs' outcomes with a reading, and those without one.
READ = ("ok", "repaired", "none")
UNREAD = ("malformed", "out_of_range", "wrong_count", "refusal")
# Boxes that no image has, and rows that are no answer: what a table of predictions can have wrong.
BAD_BOXES = ("box_not_finite", "box_reversed", "box_outside")
BAD_ROWS = ("missing", "duplicate", "unknown_outcome")
FAILURES = (*UNREAD, *BAD_BOXES, *BAD_ROWS)
OUTCOMES = (*READ, *FAILURES)
# Decoding to pixels rounds: a box that passes the border by less than this is inside.
BORDER_TOLERANCE_PX = 1e-3


def score_answer(example: Example, prediction: Prediction, suites: Sequence[str] = ()) -> Score:
    """Score one answer. A failure has no boxes: it is wrong, also where the right answer is "nothing there"."""
    outcome = checked_outcome(example, prediction)
    failed = outcome in FAILURES
    boxes = [] if failed else prediction.boxes_xyxy_px
    targets = example.boxes_xyxy_px
    wrong = failed or (not targets and outcome != "none")
    floor = 0.0 if wrong else floor_iou(boxes, targets)
    best = _best_box(boxes, prediction.scores)
    on_distractor = _best_iou(best, example.distractors_xyxy_px)
    return Score(
        example_id=example.example_id,
        contender=prediction.contender,
        patient_id=f"{example.dataset}/{example.patient_id}",
        kind=example.kind,
        n_same_label=example.n_same_label,
        suites=list(suites),
        iou=0.0 if wrong else example_iou(boxes, targets),
        floor_iou=floor,
        hit_at_50=floor >= HIT_IOU,
        giou=_single_giou(best, targets),
        pointed=any(points_into(best, target) for target in targets) if best else False,
        distance_mm=_distance_mm(best, targets, example.spacing_mm),
        distractor_iou=on_distractor,
        wrong_object=on_distractor >= HIT_IOU and on_distractor > _best_iou(best, targets),
        best_box_xyxy_px=best,
        confidence=_confidence(boxes, prediction.scores),
        outcome=outcome,
        parse_failed=failed,
        n_boxes=len(prediction.boxes_xyxy_px),
        n_targets=len(targets),
        n_matched=int((matched_ious(boxes, targets) >= HIT_IOU).sum()),
        n_steered=prediction.n_steered,
    )


def checked_outcome(example: Example, prediction: Prediction) -> str:
    """The parse outcome, or one of BAD_BOXES when a box cannot be one of this image, or "unknown_outcome"."""
    if prediction.outcome not in OUTCOMES:
        return "unknown_outcome"
    if prediction.outcome in FAILURES:
        return prediction.outcome
    found = {box_fault(box, example.width, example.height) for box in prediction.boxes_xyxy_px}
    return next((fault for fault in BAD_BOXES if fault in found), prediction.outcome)


def box_fault(box: Sequence[float], width: int, height: int) -> str | None:
    """What is wrong with a ``box_xyxy_px`` of an image of this size, one of BAD_BOXES; None when it is a box."""
    if len(box) != 4 or not all(math.isfinite(value) for value in box):
        return "box_not_finite"
    x0, y0, x1, y1 = box
    if x0 >= x1 or y0 >= y1:
        return "box_reversed"
    beyond = max(-x0, -y0, x1 - width, y1 - height)
    return "box_outside" if beyond > BORDER_TOLERANCE_PX else None


def are_confidences(scores: Sequence[float], boxes: Sequence[Sequence[float]]) -> bool:
    """Whether there is one finite number in [0, 1] for each box."""
    return len(scores) == len(boxes) and all(math.isfinite(score) and 0 <= score <= 1 for score in scores)


def _best_box(boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> list[float]:
    """The most confident box, the first of equals; the first one without scores; empty without a box."""
    if not boxes:
        return []
    best = max(range(len(boxes)), key=lambda index: scores[index]) if are_confidences(scores, boxes) else 0
    return [float(value) for value in boxes[best]]


def _confidence(boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> float | None:
    """Confidence of an answer: that of its least certain box, since it is right only with all of them. None without boxes or scores."""
    return float(min(scores)) if boxes and are_confidences(scores, boxes) else None


def _best_iou(box: Sequence[float], others: Sequence[Sequence[float]]) -> float:
    return max((iou(box, other) for other in others), default=0.0) if box else 0.0


def _single_giou(best: Sequence[float], targets: Sequence[Sequence[float]]) -> float | None:
    """GIoU of the most confident box with the only target; -1, its least value, without a box. None for none or several targets."""
    if len(targets) != 1:
        return None
    return giou(best, targets[0]) if best else -1.0


def _distance_mm(best: Sequence[float], targets: Sequence[Sequence[float]], spacing_mm: Sequence[float] | None) -> float | None:
    """From the middle of the most confident box to that of the only target; None where one of the three is not known."""
    if len(targets) != 1 or not best or spacing_mm is None:
        return None
    return centre_distance_mm(best, targets[0], spacing_mm)
