"""Box codecs: what goes out comes back within a quantum, and what is no answer becomes no box."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.vlm.codecs import BINS, CODECS, LOCATION_TOKENS, OUTCOMES, reading_order

SIDES = st.integers(8, 3000)


@st.composite
def images_with_boxes(draw: st.DrawFn) -> tuple[int, int, list[list[float]]]:
    width, height = draw(SIDES), draw(SIDES)
    boxes = []
    for _ in range(draw(st.integers(1, 4))):
        x0, y0 = draw(st.floats(0, width * 0.98)), draw(st.floats(0, height * 0.98))
        x1 = draw(st.floats(x0 + width * 0.011, width)) if x0 + width * 0.011 < width else width
        y1 = draw(st.floats(y0 + height * 0.011, height)) if y0 + height * 0.011 < height else height
        boxes.append([x0, y0, float(x1), float(y1)])
    return width, height, boxes


@pytest.mark.parametrize("name", sorted(CODECS))
@given(case=images_with_boxes())
def test_boxes_come_back_within_one_quantum_and_inside_the_image(name: str, case: tuple[int, int, list[list[float]]]) -> None:
    width, height, boxes = case
    codec = CODECS[name]
    decoded = codec.decode(codec.encode(boxes, width, height), width, height)
    assert decoded.outcome == "ok"
    assert len(decoded.boxes_xyxy_px) == len(boxes)
    for box, back in zip(reading_order(boxes), decoded.boxes_xyxy_px, strict=True):
        for value, returned, side in zip(box, back, (width, height, width, height), strict=True):
            assert abs(value - returned) <= side * codec.quantum * 1.001
            assert 0 <= returned <= side


@given(case=images_with_boxes())
def test_loc1000_never_leaves_its_vocabulary(case: tuple[int, int, list[list[float]]]) -> None:
    width, height, boxes = case
    text = CODECS["loc1000"].encode(boxes, width, height)
    assert set(re.findall(r"<loc_\d+>", text)) <= set(LOCATION_TOKENS)
    assert re.sub(r"<box>(<loc_\d+>){4}", "", text) == ""


@pytest.mark.parametrize("name", sorted(CODECS))
@given(box=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999), st.floats(1e-6, 1e-4), st.floats(1e-6, 1e-4)))
def test_a_box_thinner_than_a_bin_is_widened_and_not_lost(name: str, box: tuple[float, float, float, float]) -> None:
    x, y, w, h = box
    decoded = CODECS[name].decode(CODECS[name].encode([[x * 4000, y * 3000, (x + w) * 4000, (y + h) * 3000]], 4000, 3000), 4000, 3000)
    assert decoded.outcome == "ok"
    x0, y0, x1, y1 = decoded.boxes_xyxy_px[0]
    assert 0 <= x0 < x1 <= 4000 and 0 <= y0 < y1 <= 3000


@pytest.mark.parametrize("name", sorted(CODECS))
@given(text=st.text(max_size=60))
def test_arbitrary_text_never_becomes_a_box_outside_the_image(name: str, text: str) -> None:
    decoded = CODECS[name].decode(text, 640, 480)
    assert decoded.outcome in OUTCOMES
    assert all(0 <= x0 < x1 <= 640 and 0 <= y0 < y1 <= 480 for x0, y0, x1, y1 in decoded.boxes_xyxy_px)
    if decoded.outcome in ("malformed", "out_of_range", "wrong_count", "refusal", "none"):
        assert decoded.boxes_xyxy_px == []


@pytest.mark.parametrize(
    ("text", "outcome", "n_boxes"),
    [
        ("<loc_1><loc_2><loc_30><loc_40>", "ok", 1),
        ("<box><loc_1><loc_2><loc_30><loc_40>", "ok", 1),
        ("<box><loc_1><loc_2><loc_30><loc_40><box>", "repaired", 1),
        ("<loc_1><loc_2><box><loc_30><loc_40>", "repaired", 1),
        ("<box>", "malformed", 0),
        ("none", "none", 0),
        ("", "malformed", 0),
        ("the liver", "malformed", 0),
        ("<loc_1><loc_2><loc_30>", "wrong_count", 0),
        ("<loc_1><loc_2><loc_30><loc_40><loc_5>", "repaired", 1),
        ("box <loc_1><loc_2><loc_30><loc_40>", "repaired", 1),
        ("<loc_30><loc_2><loc_1><loc_40>", "out_of_range", 0),
        ("<loc_1><loc_2><loc_1000><loc_40>", "out_of_range", 0),
    ],
)
def test_loc1000_says_how_it_read_a_text(text: str, outcome: str, n_boxes: int) -> None:
    decoded = CODECS["loc1000"].decode(text, 100, 100)
    assert (decoded.outcome, len(decoded.boxes_xyxy_px)) == (outcome, n_boxes)


@pytest.mark.parametrize(
    ("text", "outcome", "n_boxes"),
    [
        ('[{"bbox_2d": [1, 2, 30, 40], "label": "x"}]', "ok", 1),
        ('```json\n[{"bbox_2d": [1, 2, 30, 40]}]\n```', "repaired", 1),
        ("[]", "none", 0),
        ("[1, 2, 30, 40]", "malformed", 0),
        ('[{"bbox_2d": [1, 2, 30]}]', "wrong_count", 0),
        ('[{"bbox_2d": [1, 2, 30, 40', "wrong_count", 0),
        ('[{"bbox_2d": [1, 2, "30", 40]}]', "malformed", 0),
        ('[{"bbox_2d": [1, 2, 3000, 40]}]', "out_of_range", 0),
        ('[{"bbox_2d": [50, 2, 30, 40]}]', "out_of_range", 0),
    ],
)
def test_json1000_says_how_it_read_a_text(text: str, outcome: str, n_boxes: int) -> None:
    decoded = CODECS["json1000"].decode(text, 100, 100)
    assert (decoded.outcome, len(decoded.boxes_xyxy_px)) == (outcome, n_boxes)


def test_json1000_of_qwen_is_xyxy_in_thousandths_of_the_original_image() -> None:
    answer = json.loads(CODECS["json1000"].encode([[50, 10, 100, 40]], 200, 50))
    assert answer == [{"bbox_2d": [250, 200, 500, 800], "label": "target"}]


def test_the_far_edge_of_the_image_stays_in_the_last_bin() -> None:
    assert CODECS["loc1000"].encode([[0, 0, 64, 48]], 64, 48) == f"<box><loc_0><loc_0><loc_{BINS - 1}><loc_{BINS - 1}>"


@pytest.mark.parametrize("box", [[10, 0, 5, 5], [0, 0, 200, 5], [-1, 0, 5, 5], [3, 3, 3, 9]])
def test_a_box_that_cannot_be_is_refused(box: list[float]) -> None:
    with pytest.raises(ValueError, match="reversed, empty or outside"):
        CODECS["loc1000"].encode([box], 100, 100)
