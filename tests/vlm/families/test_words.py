"""What a request is about: the expression within the frames that the corpus writes, and within those that a person may write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.generate.realise import Phrase, fill
from stages.knowledge import words
from stages.vlm.families import FAMILIES
from stages.vlm.families.words import referent, spoken

FRAMES = [(style, frame) for style, frames in words.frames().items() for frame in frames]
PHRASES = [
    Phrase("left kidney", False, False),
    Phrase("second largest nucleus from the left", False, True),
    Phrase("focal liver lesion about 31 mm across, below the aorta in the image, in contact with the spleen", False, False),
    Phrase("opacity where the right lung is brightest", False, False),
    Phrase("kidneys", True, True, "both ~"),
    Phrase("cell nuclei in the upper half of the image", True, True, "all of the ~"),
    Phrase("31 mm lesion", False, False),
    Phrase("8 mm focus touching the edge", False, False),
]
OWN = {"nano"}


@pytest.mark.parametrize(("style", "frame"), FRAMES, ids=[frame for _, frame in FRAMES])
def test_the_expression_comes_out_of_every_frame_of_the_corpus(style: str, frame: str) -> None:
    for modality in words.modalities():
        for phrase in PHRASES:
            if phrase.determiner and ("{bare}" in frame or "{a}" in frame):
                continue
            alone = [fill(article, phrase, "", "phrase") for article in ("{the}", "{a}", "{bare}")]
            text = fill(frame, phrase, words.modality(modality).image, style)
            assert referent(text) in alone, text


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("Segment the left kidney", "the left kidney"),
        ("please could you mark both kidneys for me?", "both kidneys"),
        ("Where is the polyp located?", "the polyp"),
        ("Where are the nuclei in this microscopy field", "the nuclei in this microscopy field"),
        ("Where in the image is the cyst?", "the cyst"),
        ("Where can I see the aorta?", "the aorta"),
        ("Is there a stone in the gallbladder?", "a stone in the gallbladder"),
        ("I want you to outline the tumour, please.", "the tumour"),
        ("FIND  THE\nLIVER!", "THE LIVER"),
        ("detect left lung", "left lung"),
    ],
)
def test_other_requests_give_up_their_thing(text: str, thing: str) -> None:
    assert referent(text) == thing


@pytest.mark.parametrize(
    "text",
    [
        "segment VI of the liver",
        "outline of the heart",
        "spot on the upper lip",
        "point of maximal thickness",
        "the lesion that is visible in the image",
        "the nodule which is seen",
        "the nodule is seen in the left lung",
        "in the left lung, find the largest nodule",
        "marked pulmonary opacity",
        "notedly dark focus",
        "A-line",
        "find",
        "where",
        "Left Kidney",
        "",
    ],
)
def test_what_is_no_request_stays_as_it_is(text: str) -> None:
    assert referent(text) == text


def test_a_clause_within_a_question_stays_whole() -> None:
    assert referent("Where is the nodule that is visible?") == "the nodule that is visible"
    assert referent("Show where the lesion that is darkest is.") == "the lesion that is darkest"


@given(st.text(max_size=80))
def test_any_text_gives_one_line_that_is_its_own_referent_or_shorter(text: str) -> None:
    found = referent(text)
    assert "\n" not in found and len(found) <= len(text)
    assert found or not text.strip(" .?!\n\t\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0").split()


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - OWN))
def test_every_family_asks_a_request_as_it_asks_the_expression_in_it(name: str) -> None:
    instruction = FAMILIES[name].instruction
    asked = {instruction(text) for text in ("the left lung", "Mark the left lung.", "Where is the left lung?", "The left lung is visible.")}
    assert len(asked) == 1


def test_the_nano_base_is_asked_in_the_words_of_the_corpus() -> None:
    assert FAMILIES["nano"].instruction("Where  is the Left Lung?") == "where is the left lung"


@pytest.mark.parametrize(("label", "words_of_it"), [("left_kidney|right_kidney", "left kidney and right kidney"), ("cell nucleus", "cell nucleus"), ("", "")])
def test_a_label_is_said_in_words(label: str, words_of_it: str) -> None:
    assert spoken(label) == words_of_it
