"""Resizing and padding: an answer about the picture that the model sees maps back to the original picture."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.vlm.codecs import CODECS, reading_order, square_padding
from stages.vlm.codecs.resize import smart_resize
from tests.vlm.codecs.cases import Case, images_with_boxes

RELATIVE = ["loc1000", "json1000", "qwen2", "qwen3", "internvl", "paligemma", "florence2", "gemini", "kosmos2", "glm4_5v", "deepseek_vl2"]


@pytest.mark.parametrize("name", RELATIVE)
@settings(max_examples=40, deadline=None)
@given(case=images_with_boxes(), factor=st.sampled_from([0.25, 0.5, 2, 4]))
def test_a_relative_answer_does_not_know_the_size_of_the_picture(name: str, case: Case, factor: float) -> None:
    width, height, boxes = (4 * case[0], 4 * case[1], [[4 * value for value in box] for box in case[2]])
    resized = CODECS[name].encode([[factor * value for value in box] for box in boxes], int(factor * width), int(factor * height))
    assert resized == CODECS[name].encode(boxes, width, height)


@settings(max_examples=40, deadline=None)
@given(case=images_with_boxes(), limit=st.sampled_from([50_000, 200_000, 1_003_520]))
def test_pixels_of_the_resized_picture_come_back_as_pixels_of_the_original(case: Case, limit: int) -> None:
    width, height, boxes = case
    if max(width, height) > 200 * min(width, height):
        return
    seen = smart_resize(width, height, 28, 3136, limit)
    scale = (seen[0] / width, seen[1] / height) * 2
    resized = [[min(value * step, most) for value, step, most in zip(box, scale, seen * 2, strict=True)] for box in boxes]
    text = CODECS["qwen2_5"].encode(resized, *seen, seen_px=seen)
    back = CODECS["qwen2_5"].decode(text, width, height, seen).boxes_xyxy_px
    for box, returned in zip(reading_order(resized), back, strict=True):
        assert all(abs(seen_value / step - value) <= 1.001 / step for seen_value, value, step in zip(box, returned, scale, strict=True))


@settings(max_examples=40, deadline=None)
@given(case=images_with_boxes())
def test_numbers_of_the_padded_picture_come_back_without_the_padding(case: Case) -> None:
    width, height, boxes = case
    side, left, top = square_padding(width, height)
    moved = [[x0 + left, y0 + top, x1 + left, y1 + top] for x0, y0, x1, y1 in boxes]
    text = CODECS["gemini"].encode(moved, side, side)  # the same numbers, of a picture that is square already
    decoded = CODECS["medgemma"].decode(f"```json\n{text}\n```", width, height)
    assert decoded.outcome == "ok"
    for box, returned in zip(reading_order(moved), decoded.boxes_xyxy_px, strict=True):
        shifted = [value + padding for value, padding in zip(returned, (left, top) * 2, strict=True)]
        assert shifted == pytest.approx(box, abs=0.501 * side / 1000 + 1e-6)


@pytest.mark.parametrize(("size", "padding"), [((100, 50), (100, 0, 25)), ((50, 101), (101, 25, 0)), ((7, 7), (7, 0, 0))])
def test_a_picture_is_centred_in_its_square(size: tuple[int, int], padding: tuple[int, int, int]) -> None:
    assert square_padding(*size) == padding
