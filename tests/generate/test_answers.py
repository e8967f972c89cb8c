"""What of a model's answer is used, and what is sent back with which complaint."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.claims import Claim
from stages.generate.answers import answer_schema, read_answer

GOOD = {"kind": "image_side", "value": "left", "other": None, "number": None}


def _answer(*texts: str, claims: list[dict] | None = None, style: str = "phrase") -> str:
    return json.dumps({"queries": [{"text": text, "style": style, "claims": [GOOD] if claims is None else claims} for text in texts]})


def test_a_good_answer_gives_texts_with_the_label_claim_before_the_others() -> None:
    reading = read_answer(_answer("the polyp  on the left\nside of the image"), "polyp")
    (text,) = reading.texts
    assert text.text == "the polyp on the left side of the image" and text.style == "phrase" and not reading.faults
    assert text.claims == (Claim("label", "polyp"), Claim("image_side", "left"))


def test_a_markdown_fence_is_forgiven() -> None:
    assert read_answer("```json\n" + _answer("the left polyp") + "\n```", "polyp").texts


@pytest.mark.parametrize(
    "text",
    [
        "the polyp in the bounding box", "the segmented polyp", "the polyp at (120, 44)", "the polyp at x=12", "the polyp 30 px wide",
        "the polyp in cju0.jpg", "the outlined polyp", "the polyp inside the yellow line", "the <b>polyp</b>", "40% of the polyp",
    ],
)  # fmt: skip
def test_what_a_text_must_not_say_is_a_complaint_that_quotes_it(text: str) -> None:
    reading = read_answer(_answer(text), "polyp")
    ((code, complaint),) = reading.faults
    assert not reading.texts and code == "forbidden_words" and text[:20] in complaint


def test_clinical_text_that_only_resembles_the_forbidden_is_used() -> None:
    for text in ("the 8 mm nodule in segment 7 of the liver", "the segmental consolidation", "the polyp, slightly boxy in shape"):
        assert read_answer(_answer(text), "polyp").texts, text


def test_good_texts_are_kept_beside_bad_ones() -> None:
    reading = read_answer(_answer("the left polyp", "the boxed polyp"), "polyp")
    assert [text.text for text in reading.texts] == ["the left polyp"] and len(reading.faults) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "image_side", "value": "top"}, {"kind": "relation", "value": "above"}, {"kind": "relation", "value": "above", "other": "sofa"},
        {"kind": "size_mm", "value": "about"}, {"kind": "rank", "value": "size:0"}, {"kind": "rank", "value": "weight:1"},
        {"kind": "mood", "value": "good"}, {"kind": "count", "value": "2"}, {"kind": "label", "value": "liver"},
    ],
)  # fmt: skip
def test_a_claim_outside_the_language_is_a_complaint(entry: dict) -> None:
    reading = read_answer(_answer("the left polyp", claims=[{"other": None, "number": None, **entry}]), "polyp")
    assert not reading.texts and reading.faults[0][0] == "bad_claim"


@pytest.mark.parametrize("text", ["", "no", "[]", "{}", '{"queries": []}', '{"queries": [{"text": "a b c"}]}', _answer("x" * 500), _answer("the left polyp")[:-9]])
def test_an_answer_of_another_form_is_one_complaint(text: str) -> None:
    reading = read_answer(text, "polyp")
    assert not reading.texts and [code for code, _ in reading.faults] == ["bad_schema"]


def test_too_many_words_and_an_unknown_style_are_complaints() -> None:
    assert read_answer(_answer("very " * 60 + "left"), "polyp").faults[0][0] == "too_long"
    assert read_answer(_answer("the left polyp", style="haiku"), "polyp").faults[0][0] == "bad_schema"


@given(st.text(max_size=200))
def test_no_text_whatever_raises(text: str) -> None:
    assert not read_answer(text, "polyp").texts
    reading = read_answer(_answer(text), "polyp")
    assert len(reading.texts) + len(reading.faults) == 1


def test_the_schema_stands_alone_and_closes_every_object() -> None:
    text = json.dumps(answer_schema())
    assert "$ref" not in text and text.count('"additionalProperties": false') == 3
