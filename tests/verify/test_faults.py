"""One fault at a time, planted in an accepted query, is rejected or left undecided; never accepted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stages.core.geometry import encode_mask, tight_box
from stages.verify.cascade import ACCEPTED, REJECTED, judge
from stages.verify.context import Context
from tests.verify.scenes import PARAMS, anchors, context, outcome, query, sample

# (clean text, targets, text with one fault)
PLANTS = [
    ("the spleen on the right side of the image", (1,), "the spleen on the left side of the image"),
    ("the kidney on the patient's left", (2,), "the kidney on the patient's right"),
    ("the largest liver lesion", (5,), "the smallest liver lesion"),
    ("the second largest liver lesion", (7,), "the third largest liver lesion"),
    ("the topmost liver lesion", (5,), "the lowest liver lesion"),
    ("the rightmost liver lesion", (6,), "the leftmost liver lesion"),
    ("the elongated liver lesion", (7,), "the round liver lesion"),
    ("the hypodense liver lesion nearest to the right kidney", (7,), "the hyperdense liver lesion nearest to the right kidney"),
    ("the hypodense liver lesion nearest to the right kidney", (7,), "the hypodense liver lesion nearest to the spleen"),
    ("the hypodense liver lesion nearest to the right kidney", (7,), "the hypodense liver lesion"),
    ("the liver lesion measuring about 22 mm", (5,), "the liver lesion measuring about 35 mm"),
    ("both kidneys", (2, 3), "all three kidneys"),
    ("both kidneys", (2, 3), "the left kidney"),
    ("the aorta to the right of the liver", (4,), "the aorta to the left of the liver"),
    ("the liver lesions in the upper half of the image", (5, 6), "the liver lesions in the lower half of the image"),
    ("the largest liver lesion", (5,), "the largest echogenic liver lesion"),
    ("the largest liver lesion", (5,), "the largest metastatic liver lesion"),
    ("the aorta", (4,), "the spleen"),
    ("the aorta", (4,), "the nucleus"),
]


@pytest.mark.parametrize(("clean", "targets", "faulty"), PLANTS)
def test_a_fault_in_the_text_is_rejected(clean: str, targets: tuple[int, ...], faulty: str) -> None:
    assert outcome(clean, *targets).fate == ACCEPTED, outcome(clean, *targets).deciding
    assert outcome(faulty, *targets).fate == REJECTED


SINGLES = sorted({(clean, targets[0]) for clean, targets, _ in PLANTS if len(targets) == 1 and targets[0] >= 5})


@pytest.mark.parametrize(("clean", "target"), SINGLES)
def test_a_siblings_target_is_rejected(clean: str, target: int) -> None:
    for sibling in {5, 6, 7} - {target}:
        assert outcome(clean, sibling).fate == REJECTED


@pytest.mark.parametrize(("clean", "target"), SINGLES)
def test_a_sibling_added_or_a_target_lost_is_rejected(clean: str, target: int) -> None:
    sibling = min({5, 6, 7} - {target})
    assert outcome(clean, target, sibling).fate == REJECTED
    assert judge(dataclasses.replace(query(clean, target), anchor_ids=[], kind="none"), context()).fate == REJECTED


def _moved(number: int, dx: int, dy: int) -> Context:
    changed = anchors()
    mask = np.roll(np.roll(context().masks[changed[number].anchor_id], dy, axis=0), dx, axis=1)
    changed[number] = dataclasses.replace(changed[number], mask_rle=encode_mask(mask), box_xyxy_px=tight_box(mask))
    return Context(sample(), changed, PARAMS)


@pytest.mark.parametrize(("text", "number", "dx", "dy"), [("the aorta", 4, 26, -24), ("the largest liver lesion", 5, 24, 38), ("the right kidney", 3, 40, 0)])
def test_a_mask_shifted_off_its_object_is_not_visible(text: str, number: int, dx: int, dy: int) -> None:
    assert outcome(text, number).fate == ACCEPTED
    judged = outcome(text, number, in_context=_moved(number, dx, dy))
    assert judged.deciding.reason == "not_visible", judged.deciding
