"""A mirrored text is true of the mirrored picture, or there is none; mirroring twice changes nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.mirror import mirrored_box, mirrored_text
from tests.import_closure import ROOT

PIECES = st.sampled_from(
    ["left", "Right", "LEFT", "leftmost", "rightward", "left-sided", "upper-right", "the", "of", "kidney", "is", "what", "angle", "next", "in",
     "side", "right?", "bright", "lateral", "LUL", "liver", "L", "rt", "and", "lesion", "that", "most", "'s", ",", "sinister", "remains", "."]
)  # fmt: skip


@given(st.lists(PIECES, max_size=8).map(" ".join))
def test_mirroring_a_text_twice_gives_it_back(text: str) -> None:
    mirrored = mirrored_text(text)
    if mirrored is not None:
        assert mirrored_text(mirrored) == text


@given(st.text(max_size=40))
def test_any_text_has_a_mirror_image_that_leads_back_or_none(text: str) -> None:
    mirrored = mirrored_text(text)
    assert mirrored is None or mirrored_text(mirrored) == text


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("Left kidney, right of the leftmost cyst", "Right kidney, left of the rightmost cyst"),
        ("the lesion in the upper-left quadrant of the image", "the lesion in the upper-right quadrant of the image"),
        ("a left-sided pleural effusion, LEFT lower lobe", "a right-sided pleural effusion, RIGHT lower lobe"),
        ("the second cell from the left", "the second cell from the right"),
        ("on the patient's right, in the lateral third", "on the patient's left, in the lateral third"),
        ("Which one is on the right?", "Which one is on the left?"),
        ("Where is the third nucleus from the left?", "Where is the third nucleus from the right?"),
        ("Where is the opacity on the patient's left?", "Where is the opacity on the patient's right?"),
        ("the right one in the lower half", "the left one in the lower half"),
        ("nodule of the RUL, medial", "nodule of the LUL, medial"),
        ("lesion in the left lateral ventricle", "lesion in the right lateral ventricle"),
        ("the brightest, upright cleft", "the brightest, upright cleft"),
        ("the largest round lesion", "the largest round lesion"),
    ],
)  # fmt: skip
def test_sides_are_exchanged_and_the_rest_stays(text: str, mirrored: str) -> None:
    assert mirrored_text(text) == mirrored


@pytest.mark.parametrize(
    "text",
    ["the liver", "the lesion in the left hepatic lobe", "left ventricle", "the LV", "the cyst at 3 o'clock", "running clockwise",
     "the right answer", "the edge at a right angle", "what is left of the gland", "the cyst that was left in place", "the marker L",
     "R", "the L-shaped mass", "just right next to it, the cyst", "the box [12, 30, 40, 50]", "leftover tissue", "die linke Nierenhälfte",
     "OD", "the lEFT kidney", "the LPO view"],
)  # fmt: skip
def test_a_doubtful_text_is_not_mirrored(text: str) -> None:
    assert mirrored_text(text) is None


def test_most_sided_texts_of_radiology_pass_and_no_word_but_the_side_changes() -> None:
    rows = [json.loads(line) for line in (ROOT / "tests/data/expressions.jsonl").read_text(encoding="utf-8").splitlines()]
    texts = [row["text"] for row in rows]
    changed = [(text, other) for text in texts if (other := mirrored_text(text)) not in (None, text)]
    assert len(changed) > 20
    for text, other in changed:
        assert len(text.split()) == len(other.split())
        assert mirrored_text(other) == text


HALVES = st.integers(0, 2000).map(lambda value: value / 2)


@given(HALVES, HALVES, HALVES, HALVES, st.integers(1000, 2000))
def test_mirroring_a_box_twice_gives_it_back(a: float, b: float, c: float, d: float, width: int) -> None:
    box = [min(a, b), min(c, d), max(a, b), max(c, d)]
    once = mirrored_box(box, width)
    assert mirrored_box(once, width) == box
    assert 0 <= once[0] <= once[2] <= width and once[2] - once[0] == box[2] - box[0]


def test_a_box_at_the_left_edge_comes_to_the_right_edge() -> None:
    assert mirrored_box([0, 5, 10, 20], 40) == [30, 5, 40, 20]


@pytest.mark.parametrize("box", [[0, 0, 50, 10], [10, 0, 5, 10], [0, 0, float("nan"), 10], [0, 0, 10]])
def test_a_box_that_is_none_is_refused(box: list[float]) -> None:
    with pytest.raises(ValueError, match="box"):
        mirrored_box(box, 40)
