"""Average precision by the rules of COCO, per modality, from the confidences of the boxes (Med-GLIP's table).

Intervals are bootstrapped by patient. Boxes and targets of a query are matched with each other alone, so that a draw of
patients changes no match: pycocotools matches once, and each draw re-weighs the sorted table of matches.
"""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.core.records import Example
from stages.evaluate.answers import Contender
from stages.evaluate.bootstrap import DRAWS_AT_ONCE, Bootstrap, Estimate, Patients, interval_of, patient_weights, widen_unanimous
from stages.evaluate.scoring import are_confidences

ALL = "all"
SEVERAL = "several of the class"
# A draw of AP re-reads ten precision curves a label, where one of a mean is a sum: fewer draws, the ends of the interval
# are then good to about a tenth of its width.
MOST_DRAWS = 1_000
# COCO's points of recall, computed as pycocotools computes them.
RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class PrecisionRow:
    """AP (mean over IoU .50 to .95) and AP50 of one contender on one group of examples: means over ``n_labels`` labels."""

    contender: str
    group: str
    ap: Estimate
    ap50: Estimate
    n_labels: int
    n_targets: int
    draws: int


@dataclass(frozen=True)
class Matched:
    """Boxes of one label, the most confident first, matched with the targets of their own query.

    ``right``: whether a box is matched at each IoU of .50, .55, ... .95, shape (thresholds, boxes). ``box_owner`` and
    ``target_owner``: the patient's number of each box and each target.
    """

    right: np.ndarray
    box_owner: np.ndarray
    target_owner: np.ndarray


def precision_rows(examples: Sequence[Example], contenders: Sequence[Contender], patients: Patients, bootstrap: Bootstrap) -> list[PrecisionRow]:
    """AP per contender: over all in-domain examples, over those with several objects of the class, and per modality.

    A query is an image of COCO's, its label the category: boxes of a query compete with those of all queries for the label, by
    confidence (Lin et al., 2014: 101 recall points, greedy matching, at most 100 boxes). Labels without a target in the group
    have no precision and are left out, as COCO does, also in a draw. Boxes without a confidence all count as equally certain.
    Intervals: see ``_interval``; over ``MOST_DRAWS`` draws of patients at most, the same draws for all contenders and groups.
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
    fewer = Bootstrap(min(bootstrap.draws, MOST_DRAWS), bootstrap.confidence, bootstrap.seed)
    weights = patient_weights(patients.count, fewer)
    return [_row(contender, name, examples, groups[name], patients, weights, fewer) for contender in contenders for name in names]


def _row(contender: Contender, group: str, examples: Sequence[Example], members: Sequence[int], patients: Patients, weights: np.ndarray, bootstrap: Bootstrap) -> PrecisionRow:
    by_label: dict[str, list[int]] = defaultdict(list)
    for index in members:
        by_label[examples[index].label].append(index)
    tables = []
    for _, chosen in sorted(by_label.items()):
        targets = [examples[index].boxes_xyxy_px for index in chosen]
        if any(targets):
            tables.append(matched([_detections(contender, index) for index in chosen], targets, patients.owner[chosen]))
    owners = np.concatenate([table.target_owner for table in tables]) if tables else np.zeros(0, int)
    value, drawn = (mean_precision(tables, one) for one in (np.ones((1, patients.count)), weights))
    n_patients = len(np.unique(owners))
    ap, ap50 = (_interval(float(value[0, column]) if tables else 0.0, drawn[:, column], len(owners), n_patients, bootstrap.confidence) for column in (0, 1))
    return PrecisionRow(contender.name, group, ap, ap50, len(tables), len(owners), bootstrap.draws)


def _interval(value: float, drawn: np.ndarray, n: int, patients: int, confidence: float) -> Estimate:
    """The basic bootstrap interval: as far on either side of the value as the draws' percentiles lie on the other (Davison & Hinkley, 1997, 5.2).

    Precision that is made monotone profits from chance, the more so the fewer its patients, and a draw has fewer still: the draws
    lie above the value as the value lies above the truth, so that plain percentiles miss it (simulated in a test). Where nothing
    or everything is found, so that resampling sees no spread, the exact bound of a share (AP is then the recall).
    """
    return widen_unanimous(interval_of(value, np.clip(2 * value - drawn, 0.0, 1.0), n, patients, (0.0, 1.0), confidence), confidence)


def _detections(contender: Contender, index: int) -> list[tuple[list[float], float]]:
    """Boxes with confidences of one answer; none of an answer that is no reading."""
    if contender.scores[index].parse_failed:
        return []
    answer = contender.answers[index]
    certain = answer.scores if are_confidences(answer.scores, answer.boxes_xyxy_px) else [1.0] * len(answer.boxes_xyxy_px)
    return list(zip(answer.boxes_xyxy_px, certain, strict=True))


def mean_precision(tables: Sequence[Matched], weights: np.ndarray) -> np.ndarray:
    """AP and AP50 over the labels, shape (draws, 2), under weights of the patients (draws, patients).

    A label of which a draw has no target is left out of its mean; a draw without any target is NaN.
    """
    total, counted = np.zeros((len(weights), 2)), np.zeros((len(weights), 1))
    for table in tables:
        step = max(1, DRAWS_AT_ONCE // max(1, len(table.box_owner)))
        for start in range(0, len(weights), step):
            part = slice(start, start + step)
            curve = weighted_precision(table, weights[part])
            there = ~np.isnan(curve[:, :1])
            total[part] += np.where(there, np.stack([curve.mean(axis=1), curve[:, 0]], axis=1), 0.0)
            counted[part] += there
    return np.divide(total, counted, out=np.full_like(total, np.nan), where=counted > 0)


def weighted_precision(table: Matched, weights: np.ndarray) -> np.ndarray:
    """AP of one label at each IoU threshold under each draw's weights (draws, patients), shape (draws, thresholds).

    As if every query stood in the table as often as its patient was drawn. Precision, made monotone from the right, is read at
    the 101 points of recall: each box that is right serves those between the recall before it and its own. NaN without a target.
    """
    wanted = weights[:, table.target_owner].sum(axis=1)
    drawn = weights[:, table.box_owner].astype(float)
    boxes = np.cumsum(drawn, axis=1)
    found = np.zeros((len(weights), len(table.right)))
    for at, right in enumerate(table.right):
        places = np.flatnonzero(right)
        hits = np.cumsum(drawn[:, places], axis=1)
        precision = np.divide(hits, boxes[:, places], out=np.zeros_like(hits), where=hits > 0)
        monotone = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        recall = np.divide(hits, wanted[:, None], out=np.zeros_like(hits), where=wanted[:, None] > 0)
        served = np.where(hits > 0, np.searchsorted(RECALLS, recall, side="right"), 0)
        found[:, at] = (monotone * np.diff(served, axis=1, prepend=0)).sum(axis=1) / len(RECALLS)
    found[wanted == 0] = np.nan
    return found


def matched(detections: Sequence[Sequence[tuple[list[float], float]]], targets: Sequence[Sequence[Sequence[float]]], owners: np.ndarray) -> Matched:
    """Match the boxes of one category as COCO does, image by image.

    Args:
        detections: per image, (``box_xyxy_px``, confidence).
        targets: per image, ``box_xyxy_px``; at least one in all.
        owners: the patient's number of each image.
    """
    target_owner = np.repeat(owners, [len(boxes) for boxes in targets])
    if not any(detections):
        return Matched(np.zeros((10, 0), bool), np.zeros(0, int), target_owner)
    images = [found for found in _evaluated(detections, targets).evalImgs if found is not None]
    certain = np.concatenate([found["dtScores"] for found in images])
    right = np.concatenate([found["dtMatches"] for found in images], axis=1) > 0
    owner = np.concatenate([np.full(len(found["dtScores"]), owners[found["image_id"]]) for found in images])
    # The stable order in which COCO takes boxes of equal confidence.
    order = np.argsort(-certain, kind="mergesort")
    return Matched(right[:, order], owner[order].astype(int), target_owner)


def _evaluated(detections: Sequence[Sequence[tuple[list[float], float]]], targets: Sequence[Sequence[Sequence[float]]]) -> Any:
    """pycocotools' run over the images of one category, matched."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = [{"image_id": image, **_annotation(box)} for image, boxes in enumerate(targets) for box in boxes]
    drawn = [{"image_id": image, "score": score, **_annotation(box)} for image, boxes in enumerate(detections) for box, score in boxes]
    # COCOeval takes an id of 0 for "not matched".
    truth = [{"id": number, "iscrowd": 0, **entry} for number, entry in enumerate(truth, start=1)]
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {"info": {}, "images": [{"id": image} for image in range(len(targets))], "categories": [{"id": 1}], "annotations": truth}
        known.createIndex()
        run = COCOeval(known, known.loadRes(drawn), "bbox")
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.evaluate()
    return run


def _annotation(box: Sequence[float]) -> dict[str, object]:
    """COCO's [x, y, width, height] of a ``box_xyxy_px``."""
    width, height = box[2] - box[0], box[3] - box[1]
    return {"category_id": 1, "bbox": [float(box[0]), float(box[1]), float(width), float(height)], "area": float(width * height)}
