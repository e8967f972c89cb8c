"""Test suites: named parts of the test, each with the question that it answers.

in_domain       all test examples but those held out: the headline figures.
multi_object    several objects of the class in the picture: does the language single one out?
unseen          datasets and modalities that training never saw (``evaluate.unseen``).
small           targets below a hundredth of the picture.
laterality      the words name a side, and something that could be meant lies on the other side: is left right?
query_swap      the same picture, a sibling's query: does the box move, and to the right object?
no_target       what is asked for is not there: does the model say so?
flipped         the mirrored picture with mirrored words: is the answer mirrored?
blank_image     the words with a picture of one grey: what can be guessed from the text.
no_text         the picture with no words to speak of: what can be guessed from the image.

The last three are asked by ``predict`` (``predict.probes``) about a seeded part of the test examples. But for ``unseen``, every
suite is of in-domain examples. A suite without examples has a line that says why, and no figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.geometry import iou
from stages.core.records import Example, Score
from stages.evaluate.answers import Contender
from stages.evaluate.bootstrap import Bootstrap, Estimate, Patients, Ratio, estimates
from stages.evaluate.overlap import centre
from stages.evaluate.scoring import HIT_IOU

PROBES = ("flipped", "blank_image", "no_text")
SIDES = ("left ", "right ")
SIDE_CLAIMS = {"patient_side", "image_side"}

EMPTY = {
    "multi_object": "no test picture has two objects of the class that is asked for",
    "unseen": "evaluate.unseen holds nothing out",
    "small": "no target is that small",
    "laterality": "no query names a side where something else that could be meant lies on the other",
    "query_swap": "no test picture has queries for two objects of one class",
    "no_target": "no query asks for what is not there",
    **{probe: "no rows with this probe: predict.probes and predict.probe_examples" for probe in PROBES},
}


@dataclass(frozen=True)
class SuiteRow:
    """One measure of one contender on one suite. ``note`` says why there is no figure where ``estimate`` is over no example."""

    suite: str
    contender: str
    measure: str
    estimate: Estimate
    note: str = ""


def suites_of(example: Example) -> list[str]:
    """The suites that an example belongs to by itself; probes and swaps depend on what was asked besides."""
    if example.unseen:
        return ["unseen"]
    member = {
        "multi_object": example.n_same_label >= 2 and example.kind in ("single", "multi"),
        "small": example.size_bin == "small",
        "laterality": is_lateral(example),
        "no_target": not example.boxes_xyxy_px,
    }
    return ["in_domain", *(name for name, belongs in member.items() if belongs)]


def is_lateral(example: Example) -> bool:
    """Whether the query is for one object, names a side by its label or a claim, and could be mistaken for one on the other side."""
    named = example.label.startswith(SIDES) or SIDE_CLAIMS & set(example.claim_kinds)
    return bool(named and len(example.boxes_xyxy_px) == 1 and other_side_boxes(example))


def other_side_boxes(example: Example) -> list[list[float]]:
    """Distractors whose middle lies in the other half of the picture than the (only) target's."""
    half = centre(example.boxes_xyxy_px[0])[0] < example.width / 2
    return [box for box in example.distractors_xyxy_px if (centre(box)[0] < example.width / 2) != half]


def takes_other_side(example: Example, score: Score) -> bool:
    """Whether the answer's most confident box is an object of the other side (IoU of at least 0.5) and not the target."""
    best = score.best_box_xyxy_px
    if not best:
        return False
    other = max(iou(best, box) for box in other_side_boxes(example))
    return other >= HIT_IOU and other > iou(best, example.boxes_xyxy_px[0])


def swap_partners(examples: Sequence[Example]) -> dict[int, int]:
    """Place of each example -> place of the sibling's query: the next one, cyclically, of the same picture and label with another target.

    For queries with one target; two targets are different when their IoU is below 0.5.
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        if len(example.boxes_xyxy_px) == 1:
            groups[example.sample_id, example.label].append(index)
    partners = {}
    for members in groups.values():
        for at, index in enumerate(members):
            own = examples[index].boxes_xyxy_px[0]
            others = (other for other in [*members[at + 1 :], *members[:at]] if iou(own, examples[other].boxes_xyxy_px[0]) < HIT_IOU)
            partner = next(others, None)
            if partner is not None:
                partners[index] = partner
    return partners


Columns = dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]


def suite_columns(examples: Sequence[Example], contender: Contender, partners: Mapping[int, int]) -> Columns:
    """(suite, measure) -> what is summed and over what, two arrays of shape (examples,)."""
    scores = contender.scores
    hits = np.array([score.hit_at_50 for score in scores], float)

    def share(of: Callable[[int], float | bool], members: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        above, below = np.zeros(len(examples)), np.zeros(len(examples))
        above[list(members)] = [float(of(index)) for index in members]
        below[list(members)] = 1.0
        return above, below

    member = {name: [index for index, score in enumerate(scores) if name in score.suites] for name in ("in_domain", *EMPTY)}
    domain = set(member["in_domain"])
    swapped = [index for index in partners if index in domain]
    columns: Columns = {
        (suite, "acc_at_50"): share(lambda index: hits[index], member[suite]) for suite in ("in_domain", "multi_object", "unseen", "small", "laterality", "no_target")
    }
    columns["multi_object", "wrong_object_rate"] = share(lambda index: scores[index].wrong_object, member["multi_object"])
    columns["laterality", "left_right_confusion_rate"] = share(lambda index: takes_other_side(examples[index], scores[index]), member["laterality"])
    columns["query_swap", "moved_rate"] = share(lambda index: _moved(scores[index], scores[partners[index]]), swapped)
    columns["query_swap", "moved_to_right_one_rate"] = share(lambda index: _moved_to_it(scores[index], scores[partners[index]]), swapped)
    columns["no_target", "hallucinated_box_rate"] = share(lambda index: scores[index].n_boxes > 0, member["no_target"])
    for probe in PROBES:
        asked = contender.probes.get(probe, {})
        own = [index for index in sorted(asked) if index in domain]
        columns[probe, "acc_at_50"] = share(lambda index, asked=asked: asked[index].hit_at_50, own)
        columns[probe, "plain_acc_at_50"] = share(lambda index: hits[index], own)
        if probe == "flipped":
            columns[probe, "consistent_rate"] = share(lambda index: contender.flip_agrees[index], own)
    return columns


def _moved(first: Score, second: Score) -> bool:
    """Whether two answers have boxes that are not the same (IoU below 0.5); without a box there is no sign of a move."""
    a, b = first.best_box_xyxy_px, second.best_box_xyxy_px
    return bool(a and b) and iou(a, b) < HIT_IOU


def _moved_to_it(first: Score, second: Score) -> bool:
    return _moved(first, second) and second.hit_at_50


def suite_rows(examples: Sequence[Example], contenders: Sequence[Contender], patients: Patients, bootstrap: Bootstrap) -> list[SuiteRow]:
    """All suites of all contenders; baselines answer the plain question only, so that they have no probes."""
    partners = swap_partners(examples)
    keys: list[tuple[str, str, str]] = []
    ratios: list[Ratio] = []
    for contender in contenders:
        for (suite, measure), (above, below) in suite_columns(examples, contender, partners).items():
            if not (contender.is_baseline and suite in PROBES):
                keys.append((suite, contender.name, measure))
                ratios.append(patients.ratio(above, below))
    rows = [SuiteRow(*key, found, "" if found.n else EMPTY[key[0]]) for key, found in zip(keys, estimates(ratios, bootstrap), strict=True)]
    order = {name: at for at, name in enumerate(("in_domain", *EMPTY))}
    return sorted(rows, key=lambda row: order[row.suite])
