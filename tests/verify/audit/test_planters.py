"""What is planted is provably wrong, and the cascade stops it."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.claims import Claim, select
from stages.core.geometry import decode_mask, iou, tight_box
from stages.verify.audit import evidence, form, geometry, priors
from stages.verify.audit.plant import Ground, ground_of, is_false, swapped
from stages.verify.audit.run import PLANTERS, judge_plant
from stages.verify.audit.wording import fault_words, without_claim
from stages.verify.cascade import ACCEPTED
from tests.verify.scenes import context, outcome, query

CLEAN = {
    "image_side": ("the spleen on the right side of the image", (1,)),
    "patient_side": ("the kidney on the patient's left", (2,)),
    "vertical": ("the liver lesions in the upper half of the image", (5, 6)),
    "size_rank": ("the largest liver lesion", (5,)),
    "place_rank": ("the rightmost liver lesion", (6,)),
    "ordinal": ("Where is the second largest liver lesion?", (7,)),
    "shape": ("the elongated liver lesion", (7,)),
    "appearance": ("the hypodense liver lesion nearest to the right kidney", (7,)),
    "label_of_image": ("the aorta", (4,)),
    "label_foreign": ("Aorta.", (4,)),
    "relation_flipped": ("the aorta to the right of the liver", (4,)),
    "relation_other": ("the hypodense liver lesion nearest to the right kidney", (7,)),
    "words_dropped": ("the elongated liver lesion", (7,)),
    "count": ("both kidneys", (2, 3)),
    "millimetres": ("the liver lesion measuring about 22 mm", (5,)),
    "sibling": ("the largest liver lesion", (5,)),
    "target_lost": ("all liver lesions", (5, 6, 7)),
    "target_denied": ("the largest liver lesion", (5,)),
    "target_invented": ("the liver lesion on the right side of the image", ()),
    "mirrored": ("the liver", (0,)),
    "halves_swapped": ("left kidney", (2,)),
    "wrong_organ": ("the largest liver lesion", (5,)),
}


def ground(text: str, *targets: int, seed: int = 0) -> Ground:
    """Ground of an accepted query about the slice of ``scenes``; a query without claims is planted by what is read."""
    accepted = query(text, *targets)
    return ground_of(accepted, context(), Random(seed))


@pytest.mark.parametrize("fault", sorted(PLANTERS))
def test_every_fault_is_planted_in_an_accepted_query_and_stopped(fault: str) -> None:
    text, targets = CLEAN.get(fault, ("the largest liver lesion", (5,)))
    assert outcome(text, *targets).fate == ACCEPTED, outcome(text, *targets).deciding
    where = ground(text, *targets)
    plants = list(PLANTERS[fault][1](where))
    assert plants, fault
    for plant in plants[:3]:
        judged = judge_plant(plant, where)
        # A mask twice as long still holds the object: only the norms of its class tell, and one image makes none.
        assert judged.fate != ACCEPTED or fault == "mask_scaled", (plant.changed, plant.query.text)


SCENE = context().scene
LABELS = sorted({anchor.label for anchor in SCENE.anchors})
CLAIMS = st.one_of(
    st.builds(Claim, st.just("label"), st.sampled_from(LABELS)),
    st.builds(Claim, st.just("image_side"), st.sampled_from(["left", "right"])),
    st.builds(Claim, st.just("vertical"), st.sampled_from(["upper", "lower"])),
    st.builds(Claim, st.just("rank"), st.sampled_from(["size:1", "size:-1", "size:2", "x:1", "y:-1"])),
    st.builds(Claim, st.just("shape"), st.sampled_from(["round", "elongated"])),
    st.builds(Claim, st.just("relation"), st.sampled_from(["left_of", "above", "nearest"]), st.sampled_from(LABELS)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(CLAIMS, min_size=1, max_size=3), st.sets(st.integers(0, 7), max_size=3))
def test_what_is_still_true_or_too_close_to_call_is_no_fault(claims: list[Claim], numbers: set[int]) -> None:
    t = context().thresholds
    selection = select(claims, SCENE, t)
    targets = [SCENE.anchors[number].anchor_id for number in numbers]
    assert not is_false(claims, sorted(selection.certain), SCENE, t)
    assert not is_false(claims, sorted(selection.possible), SCENE, t)
    if selection.certain <= set(targets) <= selection.possible:
        assert not is_false(claims, targets, SCENE, t)
    else:
        assert is_false(claims, targets, SCENE, t)


def test_a_true_change_is_not_planted() -> None:
    assert list(geometry.words_dropped(ground("the hypodense aorta", 4))) == []
    assert list(geometry.count(ground("the aorta", 4))) == []
    assert list(geometry.sibling(ground("the aorta", 4))) == []
    assert list(priors.mirrored(ground("the aorta", 4))) == []
    assert list(priors.halves_swapped(ground("the largest liver lesion", 5))) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 7), st.integers(0, 10_000), st.sampled_from(["mask_shifted", "mask_elsewhere"]))
def test_a_moved_mask_lies_off_every_object_of_its_kind(number: int, seed: int, fault: str) -> None:
    where = ground("it", number, seed=seed)
    for plant in evidence.PLANTERS[fault](where):
        (moved,) = plant.anchors
        own = where.targets[0]
        mask = decode_mask(moved.mask_rle)
        assert mask.sum() == where.context.masks[own.anchor_id].sum()
        assert moved.box_xyxy_px == tight_box(mask)
        alike = [anchor for anchor in where.context.anchors if anchor.label == own.label]
        assert all(iou(moved.box_xyxy_px, anchor.box_xyxy_px) <= 0.1 for anchor in alike)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 7), st.integers(0, 10_000))
def test_a_damaged_box_overlaps_its_own_by_no_more_than_half(number: int, seed: int) -> None:
    where = ground("it", number, seed=seed)
    for planter in (form.box_moved, form.box_scaled, form.box_outside):
        for plant in planter(where):
            assert iou(plant.anchors[0].box_xyxy_px, where.targets[0].box_xyxy_px) <= 0.5


def test_a_removed_object_leaves_the_rest_of_the_picture_as_it_was() -> None:
    where = ground("the largest liver lesion", 5)
    (plant,) = evidence.target_removed(where)
    import cv2

    before, after = (cv2.imdecode(np.frombuffer(s.image, np.uint8), cv2.IMREAD_ANYCOLOR) for s in (where.context.sample, plant.sample))
    mask = where.context.masks[where.targets[0].anchor_id]
    far = cv2.dilate(mask.astype(np.uint8), np.ones((17, 17), np.uint8)) == 0
    assert (before[far] == after[far]).all()
    assert after[mask].mean() - before[mask].mean() > 30


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        ("Left lung", "left", "right", "Right lung"),
        ("the leftmost nucleus", "left", "right", None),
        ("left of the left kidney", "left", "right", None),
        ("left-hand side", "left", "right", None),
        ("the elongated nucleus", "elongated", "", "the nucleus"),
    ],
)
def test_only_a_word_that_stands_once_is_replaced(text: str, old: str, new: str, expected: str | None) -> None:
    assert swapped(text, old, new) == expected


def test_the_words_of_a_claim_are_found_in_any_of_its_wordings() -> None:
    assert without_claim("Find the second nucleus from the left.", Claim("rank", "x:2"), "microscopy") == "Find the nucleus."
    assert without_claim("nucleus furthest to the left in the image", Claim("rank", "x:1"), "microscopy") == "nucleus"
    assert without_claim("the round nucleus", Claim("vertical", "upper"), "microscopy") is None


def test_words_of_one_modality_are_foreign_in_the_others_only() -> None:
    words = fault_words()["foreign"]
    for modality, own in words.items():
        others = {word for name, listed in words.items() if name != modality for word in listed}
        assert not others & set(own)
