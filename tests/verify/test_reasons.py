"""Every reason code has a wrong sample that earns it, and right samples pass."""

from __future__ import annotations

import dataclasses
import typing

import numpy as np
import pytest

from stages.core.claims import Claim
from stages.core.geometry import encode_mask
from stages.verify.cascade import ACCEPTED, REJECTED, UNDECIDED
from stages.verify.context import Context
from stages.verify.reasons import REASONS, Reason
from tests.verify.scenes import PARAMS, anchors, context, outcome, query, sample

LESION = Claim("label", "liver lesion")
RIGHT = [
    ("the largest liver lesion", (5,)),
    ("hypodense liver lesion nearest to the right kidney", (7,)),
    ("Where is the second largest liver lesion?", (7,)),
    ("the elongated liver lesion", (7,)),
    ("a lesion measuring about 22 mm", (5,)),
    ("both kidneys", (2, 3)),
    ("left kidney", (2,)),
    ("the kidney on the patient's right", (3,)),
    ("the spleen on the right side of the image", (1,)),
    ("all liver lesions", (5, 6, 7)),
    ("the two largest lesions in the liver", (5, 7)),
    ("liver lesions in the upper half of the image", (5, 6)),
    ("the liver lesion in the lower half of the image", ()),
    ("Aorta.", (4,)),
]


@pytest.mark.parametrize(("text", "targets"), [case for case in RIGHT if case[1]])
def test_a_true_and_unique_expression_is_accepted(text: str, targets: tuple[int, ...]) -> None:
    judged = outcome(text, *targets)
    assert judged.fate == ACCEPTED, judged.deciding
    assert [verdict.passed for verdict in judged.verdicts] == [True] * 6


WRONG = [
    ("empty_text", REJECTED, "   ", (5,)),
    ("too_long", REJECTED, "the largest liver lesion " * 12, (5,)),
    ("control_character", REJECTED, "the largest\x00 liver lesion", (5,)),
    ("control_character", REJECTED, "the \u202elargest liver lesion", (5,)),
    ("markup", REJECTED, "<b>the largest</b> liver lesion", (5,)),
    ("markup", REJECTED, "the largest liver lesion https://example.org", (5,)),
    ("not_english", REJECTED, "最大的肝脏病灶", (5,)),
    ("coordinates", REJECTED, "the liver lesion at (40, 60)", (5,)),
    ("coordinates", REJECTED, "the liver lesion at x=40", (5,)),
    ("leak_word", REJECTED, "the largest segmented liver lesion", (5,)),
    ("leak_word", REJECTED, "draw a bounding box around the spleen", (1,)),
    ("unknown_target", REJECTED, "the largest liver lesion", (99,)),
    ("target_count", REJECTED, "the largest liver lesion", (5, 6)),
    ("foreign_modality_word", REJECTED, "the largest hypoechoic liver lesion", (5,)),
    ("foreign_modality_word", REJECTED, "the hyperintense aorta", (4,)),
    ("unsupported_finding", REJECTED, "the largest malignant liver lesion", (5,)),
    ("unread_text", UNDECIDED, "the largest spiculated liver lesion", (5,)),
    ("unread_text", UNDECIDED, "the subcapsular liver lesion", (5,)),
    ("ambiguous_side", UNDECIDED, "the left kidney and the liver lesion on the left", (5,)),
    ("claim_false", REJECTED, "the spleen", (5,)),
    ("claim_false", REJECTED, "the largest liver lesion on the right side of the image", (5,)),
    ("claim_false", REJECTED, "the spleen on the patient's right", (1,)),
    ("claim_false", REJECTED, "the hyperdense liver lesion nearest to the right kidney", (7,)),
    ("claim_false", REJECTED, "the elongated aorta", (4,)),
    ("claim_false", REJECTED, "a liver lesion measuring about 45 mm", (5,)),
    ("claim_false", REJECTED, "all three kidneys", (2, 3)),
    ("claim_false", REJECTED, "the aorta inside the liver", (4,)),
    ("not_unique", REJECTED, "the liver lesion", (5,)),
    ("not_unique", REJECTED, "the hypodense lesion in the liver", (6,)),
    ("selects_other", REJECTED, "the smallest liver lesion", (5,)),
    ("selects_other", REJECTED, "the second largest liver lesion", (5,)),
    ("selects_other", REJECTED, "the leftmost liver lesion nearest to the right kidney", (5,)),
    ("wrong_number", REJECTED, "the hypodense lesion", (5, 6, 7)),
    ("too_close", UNDECIDED, "the leftmost liver lesion", (5,)),
    ("too_close", UNDECIDED, "the aorta on the right side of the image", (4,)),
]
NONE = [
    ("ok", ACCEPTED, "the liver lesion on the right side of the image"),
    ("ok", ACCEPTED, "the hyperdense liver lesion"),
    ("target_present", REJECTED, "the hypodense liver lesion"),
    ("absence_unproven", UNDECIDED, "the polyp"),
    ("too_close", UNDECIDED, "the aorta on the right side of the image"),
]


@pytest.mark.parametrize(("reason", "fate", "text", "targets"), WRONG)
def test_a_wrong_query_is_stopped_for_the_right_reason(reason: str, fate: str, text: str, targets: tuple[int, ...]) -> None:
    kind = "single" if reason == "target_count" else None
    judged = outcome(text, *targets, kind=kind) if max(targets) < 9 else _missing_target(text)
    assert (judged.deciding.reason, judged.fate) == (reason, fate), judged.deciding


def _missing_target(text: str):
    from stages.verify.cascade import judge

    return judge(dataclasses.replace(query(text, 5), anchor_ids=["set/case/axial-1#99"]), context())


@pytest.mark.parametrize(("reason", "fate", "text"), NONE)
def test_a_query_without_target_needs_a_proven_absence(reason: str, fate: str, text: str) -> None:
    judged = outcome(text, kind="none")
    assert (judged.deciding.reason, judged.fate) == (reason, fate), judged.deciding


def test_too_few_words_are_named() -> None:
    strict = Context(sample(), anchors(), dataclasses.replace(PARAMS, min_words=3))
    assert outcome("the aorta", 4, in_context=strict).deciding.reason == "too_short"


def test_the_writer_and_the_text_must_say_the_same() -> None:
    text = "the largest liver lesion"
    agreeing = outcome(text, 5, claims=[LESION, Claim("rank", "size:1")])
    silent = outcome(text, 5, claims=[LESION, Claim("rank", "size:1"), Claim("appearance", "dark")])
    assert agreeing.fate == ACCEPTED
    assert silent.deciding.reason == "claims_mismatch"
    assert "appearance dark" in silent.deciding.evidence


def test_claims_that_are_no_claims_are_named() -> None:
    from stages.verify.cascade import judge

    damaged = dataclasses.replace(query("the aorta", 4), claims=['{"kind": "colour", "value": "red"}'])
    assert judge(damaged, context()).deciding.reason == "bad_claims"


def test_a_side_of_the_patient_needs_an_orientation() -> None:
    judged = outcome("the kidney on the patient's right", 3, in_context=context(image_left_is=None))
    assert judged.deciding.reason == "orientation_unknown"


def test_a_crop_beside_the_midline_has_no_sides_of_the_patient() -> None:
    judged = outcome("the kidney on the patient's right", 3, in_context=context(midline_in_view=False))
    assert judged.deciding.reason == "orientation_unknown"
    assert outcome("the liver", 0, in_context=context(image_left_is="patient_left", midline_in_view=False)).fate == ACCEPTED


def test_a_second_query_with_the_same_words_is_a_duplicate() -> None:
    shared = context()
    assert outcome("The largest liver lesion.", 5, in_context=shared).fate == ACCEPTED
    again = outcome("the largest  liver lesion", 5, in_context=shared, query_id="q~1")
    assert again.deciding.reason == "duplicate_text"


def test_nearly_the_same_words_for_the_same_target_are_a_near_duplicate() -> None:
    shared = context()
    assert outcome("Could you show me the largest liver lesion in the liver", 5, in_context=shared).fate == ACCEPTED
    again = outcome("Could you show me a largest liver lesion in the liver", 5, in_context=shared, query_id="q~1")
    loose = dataclasses.replace(PARAMS, near_duplicate=0.9)
    other = Context(sample(), anchors(), loose)
    outcome("Could you show me the largest liver lesion in the liver", 5, in_context=other)
    assert again.deciding.reason == "ok"
    near = outcome("Could you show me a largest liver lesion in the liver", 5, in_context=other, query_id="q~1")
    assert near.deciding.reason == "near_duplicate"


def _with_anchor(number: int, **changes: object) -> Context:
    changed = anchors()
    changed[number] = dataclasses.replace(changed[number], **changes)  # type: ignore[arg-type]
    return Context(sample(), changed, PARAMS)


def test_a_siblings_box_is_named() -> None:
    judged = outcome("the largest liver lesion", 5, in_context=_with_anchor(5, box_xyxy_px=anchors()[6].box_xyxy_px))
    assert judged.deciding.reason == "box_mismatch"


def test_a_liver_on_the_patients_left_is_implausible() -> None:
    judged = outcome("the liver", 0, in_context=context(image_left_is="patient_left"))
    assert judged.deciding.reason == "implausible_side"


def test_a_lesion_outside_its_organ_is_implausible() -> None:
    judged = outcome("the largest liver lesion", 5, in_context=_with_anchor(5, relations=[]))
    assert judged.deciding.reason == "outside_container"


def test_an_aorta_as_long_as_an_arm_is_implausible() -> None:
    judged = outcome("the aorta", 4, in_context=_with_anchor(4, length_mm=600.0))
    assert judged.deciding.reason == "implausible_size"


def test_an_object_that_the_picture_does_not_show_is_not_visible() -> None:
    flat = np.random.default_rng(5).normal(60, 12, (192, 192)).clip(0, 255).astype(np.uint8)
    import cv2

    blank = context(image=cv2.imencode(".png", flat)[1].tobytes())
    assert outcome("the largest liver lesion", 5, in_context=blank).deciding.reason == "not_visible"


def test_a_picture_that_contradicts_the_measured_appearance_is_named() -> None:
    import cv2

    image = 255 - cv2.imdecode(np.frombuffer(sample().image, np.uint8), cv2.IMREAD_GRAYSCALE)
    negative = context(image=cv2.imencode(".png", image)[1].tobytes())
    judged = outcome("the hypodense liver lesion nearest to the right kidney", 7, in_context=negative)
    assert judged.deciding.reason == "appearance_contradicted"


def test_the_list_of_reasons_is_closed_and_each_has_a_wrong_sample() -> None:
    assert tuple(typing.get_args(Reason)) == REASONS
    elsewhere = {
        "too_short", "claims_mismatch", "bad_claims", "orientation_unknown", "duplicate_text", "near_duplicate", "box_mismatch",
        "implausible_side", "outside_container", "implausible_size", "not_visible", "appearance_contradicted", "no_mask",
        "wrong_description", "wrong_box", "judge_unsure", "no_answer", "judges_disagree", "no_target", "no_label",
    }  # fmt: skip
    assert {case[0] for case in WRONG} | {case[0] for case in NONE} | elsewhere == set(REASONS)


def test_a_mask_of_another_size_is_an_error_value() -> None:
    from stages.core.records import ItemError
    from stages.verify.cascade import SampleJob, judge_sample

    damaged = [dataclasses.replace(anchors()[0], mask_rle=encode_mask(np.ones((4, 4), bool)))]
    (error,) = judge_sample(SampleJob(sample(), damaged, [query("the liver", 0)], {}), PARAMS)
    assert isinstance(error, ItemError)
    assert error.kind == "bad_mask"
