"""Average precision by the rules of COCO, per modality, from the confidences of the boxes (Med-GLIP's table)."""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.records import Example
from stages.evaluate.answers import Contender
from stages.evaluate.scoring import are_confidences

ALL = "all"
SEVERAL = "several of the class"


@dataclass(frozen=True)
class PrecisionRow:
    """AP (mean over IoU .50 to .95) and AP50 of one contender on one group of examples: means over ``n_labels`` labels."""

    contender: str
    group: str
    ap: float
    ap50: float
    n_labels: int
    n_targets: int


def precision_rows(examples: Sequence[Example], contenders: Sequence[Contender]) -> list[PrecisionRow]:
    """AP per contender: over all in-domain examples, over those with several objects of the class, and per modality.

    A query is an image of COCO's, its label the category: boxes of a query compete with those of all queries for the label, by
    confidence (Lin et al., 2014: 101 recall points, greedy matching, at most 100 boxes). Labels without a target in the group
    have no precision and are left out, as COCO does. Boxes without a confidence all count as equally certain.
    """
    groups: dict[str, list[int]] = {ALL: [], SEVERAL: []}
    for index, example in enumerate(examples):
        if example.unseen:
            continue
        groups[ALL].append(index)
        if example.n_same_label >= 2 and example.kind in ("single", "multi"):
            groups[SEVERAL].append(index)
        groups.setdefault(example.modality, []).append(index)
    names = [ALL, SEVERAL, *sorted(set(groups) - {ALL, SEVERAL})]
    return [_row(contender, name, examples, groups[name]) for contender in contenders for name in names]


def _row(contender: Contender, group: str, examples: Sequence[Example], members: Sequence[int]) -> PrecisionRow:
    by_label: dict[str, list[int]] = defaultdict(list)
    for index in members:
        by_label[examples[index].label].append(index)
    found = []
    for label in sorted(by_label):
        targets = [examples[index].boxes_xyxy_px for index in by_label[label]]
        if any(targets):
            found.append(average_precision([_detections(contender, index) for index in by_label[label]], targets))
    n_targets = sum(len(examples[index].boxes_xyxy_px) for index in members)
    ap, ap50 = np.mean(found, axis=0) if found else (0.0, 0.0)
    return PrecisionRow(contender.name, group, float(ap), float(ap50), len(found), n_targets)


def _detections(contender: Contender, index: int) -> list[tuple[list[float], float]]:
    """Boxes with confidences of one answer; none of an answer that is no reading."""
    if contender.scores[index].parse_failed:
        return []
    answer = contender.answers[index]
    certain = answer.scores if are_confidences(answer.scores, answer.boxes_xyxy_px) else [1.0] * len(answer.boxes_xyxy_px)
    return list(zip(answer.boxes_xyxy_px, certain, strict=True))


def average_precision(detections: Sequence[Sequence[tuple[list[float], float]]], targets: Sequence[Sequence[Sequence[float]]]) -> tuple[float, float]:
    """AP over IoU .50 to .95 and AP50 of one category; both in [0, 1].

    Args:
        detections: per image, (``box_xyxy_px``, confidence).
        targets: per image, ``box_xyxy_px``; at least one in all.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = [{"image_id": image, **_annotation(box)} for image, boxes in enumerate(targets) for box in boxes]
    drawn = [{"image_id": image, "score": score, **_annotation(box)} for image, boxes in enumerate(detections) for box, score in boxes]
    if not drawn:
        return 0.0, 0.0
    # COCOeval takes an id of 0 for "not matched".
    truth = [{"id": number, "iscrowd": 0, **entry} for number, entry in enumerate(truth, start=1)]
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {"info": {}, "images": [{"id": image} for image in range(len(targets))], "categories": [{"id": 1}], "annotations": truth}
        known.createIndex()
        run = COCOeval(known, known.loadRes(drawn), "bbox")
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.evaluate()
        run.accumulate()
    # Precision by IoU threshold and recall point, at the greatest number of boxes.
    precision = run.eval["precision"][:, :, 0, 0, -1]
    return float(precision.mean()), float(precision[0].mean())


def _annotation(box: Sequence[float]) -> dict[str, object]:
    """COCO's [x, y, width, height] of a ``box_xyxy_px``."""
    width, height = box[2] - box[0], box[3] - box[1]
    return {"category_id": 1, "bbox": [float(box[0]), float(box[1]), float(width), float(height)], "area": float(width * height)}
