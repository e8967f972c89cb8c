"""Box codecs: what goes out comes back within a quantum, and what is no answer becomes no box."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.vlm.codecs import BINS, CODECS, LOCATION_TOKENS, OUTCOMES, REPAIRS, Decoded, DecodedPoints, Loc1000, loc_bins, reading_order
from tests.vlm.codecs.cases import BOX_NAMES, NAMES, SEEN, Case, damaged_answers, images_with_boxes

GIVES_BOXES = {"ok", "repaired"}


def _inside(boxes: list[list[float]], width: int, height: int) -> bool:
    return all(0 <= x0 < x1 <= width + 1e-9 and 0 <= y0 < y1 <= height + 1e-9 for x0, y0, x1, y1 in boxes)


@pytest.mark.parametrize("name", BOX_NAMES)
@settings(max_examples=60, deadline=None)
@given(case=images_with_boxes())
def test_boxes_come_back_within_one_quantum_and_inside_the_image(name: str, case: Case) -> None:
    width, height, boxes = case
    codec = CODECS[name]
    decoded = codec.decode(codec.encode(boxes, width, height, SEEN), width, height, SEEN, strict=True, expected=len(boxes))
    assert decoded.outcome == "ok"
    assert _inside(decoded.boxes_xyxy_px, width, height)
    covered = (max(width, height),) * 2 if name == "medgemma" else (width, height)
    quantum = 0.5 / min(SEEN) if name == "qwen2_5" else codec.quantum
    for box, back in zip(reading_order(boxes), decoded.boxes_xyxy_px, strict=True):
        for value, returned, side in zip(box, back, covered * 2, strict=True):
            assert abs(value - returned) <= side * quantum * 1.001


@settings(max_examples=60, deadline=None)
@given(case=images_with_boxes())
def test_a_pointing_codec_gives_the_centres_and_never_a_box(case: Case) -> None:
    width, height, boxes = case
    codec = CODECS["molmo"]
    decoded = codec.decode(codec.encode(boxes, width, height), width, height, strict=True, expected=len(boxes))
    assert isinstance(decoded, DecodedPoints)
    assert (codec.metric, decoded.outcome, decoded.boxes_xyxy_px) == ("pointing", "ok", [])
    for (x0, y0, x1, y1), (x, y) in zip(reading_order(boxes), decoded.points_xy_px, strict=True):
        assert abs((x0 + x1) / 2 - x) <= width * codec.quantum * 1.001
        assert abs((y0 + y1) / 2 - y) <= height * codec.quantum * 1.001


@pytest.mark.parametrize("name", BOX_NAMES)
@settings(max_examples=60, deadline=None)
@given(
    box=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999), st.floats(1e-6, 1e-4), st.floats(1e-6, 1e-4)),
    sides=st.sampled_from([(4000, 3000), (10, 5000), (3056, 100), (1, 1)]),
)
def test_a_box_thinner_than_a_step_is_widened_and_not_lost(name: str, box: tuple[float, float, float, float], sides: tuple[int, int]) -> None:
    (x, y, w, h), (width, height) = box, sides
    text = CODECS[name].encode([[x * width, y * height, (x + w) * width, (y + h) * height]], width, height, SEEN)
    decoded = CODECS[name].decode(text, width, height, SEEN)
    assert decoded.outcome == "ok"
    assert _inside(decoded.boxes_xyxy_px, width, height)


@pytest.mark.parametrize("name", NAMES)
def test_no_box_is_an_answer_of_its_own(name: str) -> None:
    codec = CODECS[name]
    decoded = codec.decode(codec.encode([], 64, 48, SEEN), 64, 48, SEEN, strict=True, expected=0)
    assert (decoded.outcome, decoded.boxes_xyxy_px, decoded.count) == ("none", [], 0)
    assert codec.decode(codec.encode([], 64, 48, SEEN), 64, 48, SEEN, expected=1).outcome == "wrong_count"


@pytest.mark.parametrize("name", NAMES)
def test_another_number_than_expected_is_a_wrong_count_and_gives_nothing(name: str) -> None:
    codec = CODECS[name]
    text = codec.encode([[1, 2, 30, 40], [5, 6, 50, 44]], 64, 48, SEEN)
    assert codec.decode(text, 64, 48, SEEN, expected=2).count == 2
    for expected in (0, 1, 3):
        decoded = codec.decode(text, 64, 48, SEEN, expected=expected)
        assert (decoded.outcome, decoded.count) == ("wrong_count", 0)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("loc1000", "qwen2", "kosmos2", "glm4_5v")])
def test_a_label_goes_out_and_comes_back(name: str) -> None:
    codec = CODECS[name]
    text = codec.encode([[1, 2, 30, 40], [5, 6, 50, 44]], 64, 48, SEEN, label="left upper lobe (LUL)")
    assert codec.decode(text, 64, 48, SEEN, strict=True).labels == ["left upper lobe (LUL)"] * 2


@pytest.mark.parametrize("label", ["", " liver", "none", 'a "b"', "a<b", "x" * 65, "a;b", "one\ntwo"])
@pytest.mark.parametrize("name", ["json1000", "paligemma", "molmo"])
def test_a_label_that_could_break_an_answer_is_refused(name: str, label: str) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        CODECS[name].encode([[1, 2, 30, 40]], 64, 48, label=label)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), free=st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_no_text_raises_or_becomes_a_box_outside_the_image(name: str, data: st.DataObject, free: str) -> None:
    text = data.draw(st.one_of(st.just(free), damaged_answers(name)))
    width, height = data.draw(st.sampled_from([(640, 480), (7, 900)]))
    lenient = CODECS[name].decode(text, width, height, SEEN)
    strict = CODECS[name].decode(text, width, height, SEEN, strict=True)
    assert lenient.outcome in OUTCOMES and set(lenient.repairs) <= set(REPAIRS)
    assert _inside(lenient.boxes_xyxy_px, width, height)
    assert (lenient.count > 0) == (lenient.outcome in GIVES_BOXES)
    assert len(lenient.labels) == lenient.count
    assert (lenient.outcome == "repaired") == bool(lenient.repairs and lenient.count)
    assert strict == lenient if not lenient.repairs else strict.count == 0
    assert strict.outcome != "repaired"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["[" * 5000, "9" * 5000, "<loc_" + "9" * 5000 + ">" * 4, "(" * 5000 + "1,2", " " * 5000 + "x", '{"a":' * 3000, "<think>" * 900])
def test_long_texts_are_read_in_no_time_and_give_no_box(name: str, text: str) -> None:
    assert CODECS[name].decode(text, 640, 480, SEEN).count == 0


@settings(max_examples=60, deadline=None)
@given(case=images_with_boxes())
def test_loc1000_never_leaves_its_vocabulary(case: Case) -> None:
    width, height, boxes = case
    text = CODECS["loc1000"].encode(boxes, width, height)
    assert set(re.findall(r"<loc_\d+>", text)) <= set(LOCATION_TOKENS)
    assert re.sub(r"<box>(<loc_\d+>){4}", "", text) == ""


NATIVE = {
    "loc1000": "<box><loc_250><loc_200><loc_500><loc_800>",
    "json1000": '[{"bbox_2d": [250, 200, 500, 800], "label": "target"}]',
    "qwen2": "<|box_start|>(250,200),(500,800)<|box_end|>",
    "qwen2_5": '[{"bbox_2d": [126, 67, 252, 269], "label": "target"}]',
    "qwen3": '[{"bbox_2d": [250, 200, 500, 800], "label": "target"}]',
    "internvl": "<ref>target</ref><box>[[250, 200, 500, 800]]</box>",
    "paligemma": "<loc0205><loc0256><loc0818><loc0512> target",
    "florence2": "target<loc_250><loc_200><loc_500><loc_800>",
    "medgemma": '```json\n[{"box_2d": [425, 250, 575, 500], "label": "target"}]\n```',
    "gemini": '[{"box_2d": [200, 250, 800, 500], "label": "target"}]',
    "molmo": '<point x="37.5" y="50.0" alt="target">target</point>',
    "kosmos2": "<object><patch_index_0200><patch_index_0815></object>",
    "glm4_5v": "<|begin_of_box|>[250, 200, 500, 800]<|end_of_box|>",
    "deepseek_vl2": "<|ref|>target<|/ref|><|det|>[[250, 200, 500, 799]]<|/det|>",
}


@pytest.mark.parametrize("name", NAMES)
def test_the_syntax_is_the_family_s_own(name: str) -> None:
    assert CODECS[name].name == name
    assert CODECS[name].encode([[50, 10, 100, 40]], 200, 50, SEEN) == NATIVE[name]


def test_the_far_edge_of_the_image_stays_in_the_last_bin() -> None:
    assert CODECS["loc1000"].encode([[0, 0, 64, 48]], 64, 48) == f"<box><loc_0><loc_0><loc_{BINS - 1}><loc_{BINS - 1}>"
    assert loc_bins([0, 0, 64, 48], 64, 48) == [0, 0, BINS - 1, BINS - 1]
    assert Loc1000() == CODECS["loc1000"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("box", [[10, 0, 5, 5], [0, 0, 200, 5], [-1, 0, 5, 5], [3, 3, 3, 9], [math.nan, 0, 5, 5]])
def test_a_box_that_cannot_be_is_refused(name: str, box: list[float]) -> None:
    with pytest.raises(ValueError, match="reversed, empty or outside"):
        CODECS[name].encode([box], 100, 100, SEEN)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_without_area_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no area"):
        CODECS[name].decode("none", 0, 100, SEEN)


def test_absolute_pixels_ask_for_the_size_that_the_model_sees() -> None:
    codec = CODECS["qwen2_5"]
    for ask in (
        lambda: codec.encode([[1, 2, 3, 4]], 8, 8),
        lambda: codec.decode("[]", 8, 8),
        lambda: codec.ebnf(1),
        lambda: codec.possible("[", 1),
        lambda: codec.encode([[1, 2, 3, 4]], 8, 8, (0, 28)),
    ):
        with pytest.raises(ValueError, match="seen_px"):
            ask()


def test_what_was_read_compares_by_value() -> None:
    assert CODECS["json1000"].decode("[]", 8, 8) == Decoded([], "none")
