"""Boxes, masks and overlap: pixel-edge, half-open, without surprises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.core.geometry import (
    EmptyMaskError,
    box_area,
    check_box,
    decode_crop,
    decode_mask,
    encode_crop,
    encode_mask,
    iou,
    iou_matrix,
    run_lengths,
    tight_box,
)
from stages.core.records import Rle

MASKS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))
COORDINATE = st.floats(0, 100, allow_nan=False)


@st.composite
def boxes(draw):
    x0, y0 = draw(COORDINATE), draw(COORDINATE)
    return [x0, y0, x0 + draw(st.floats(0.5, 50)), y0 + draw(st.floats(0.5, 50))]


def test_the_box_of_one_pixel_is_that_pixels_square() -> None:
    mask = np.zeros((5, 7), bool)
    mask[2, 4] = True
    assert tight_box(mask) == [4, 2, 5, 3]


def test_the_box_of_a_full_mask_is_the_image() -> None:
    assert tight_box(np.ones((5, 7), bool)) == [0, 0, 7, 5]


def test_an_empty_mask_has_no_box() -> None:
    with pytest.raises(EmptyMaskError, match="no foreground pixel"):
        tight_box(np.zeros((5, 7), bool))


@given(MASKS.filter(lambda mask: mask.any()))
def test_a_tight_box_holds_the_mask_and_shrinks_no_further(mask: np.ndarray) -> None:
    x0, y0, x1, y1 = (int(value) for value in tight_box(mask))
    inner = mask[y0:y1, x0:x1]
    assert inner.sum() == mask.sum()
    assert inner[0].any() and inner[-1].any() and inner[:, 0].any() and inner[:, -1].any()


@given(MASKS)
def test_a_mask_survives_its_code(mask: np.ndarray) -> None:
    rle = encode_mask(mask)
    assert rle.size == [mask.shape[0], mask.shape[1]]
    assert rle.counts.isascii()
    decoded = decode_mask(rle)
    assert decoded.dtype == bool and np.array_equal(decoded, mask)


@given(MASKS.filter(lambda mask: mask.any()))
def test_a_crop_is_the_mask_in_its_tight_box_and_goes_back_to_the_same_code(mask: np.ndarray) -> None:
    row, column, crop = decode_crop(encode_mask(mask))
    x0, y0, x1, y1 = (int(value) for value in tight_box(mask))
    assert (row, column) == (y0, x0) and crop.dtype == bool and crop.flags.c_contiguous
    assert np.array_equal(crop, mask[y0:y1, x0:x1])
    assert encode_crop(row, column, crop, mask.shape) == encode_mask(mask)


@given(MASKS)
def test_a_crop_with_empty_margins_has_the_code_of_the_whole_mask(mask: np.ndarray) -> None:
    assert encode_crop(0, 0, mask, mask.shape) == encode_mask(mask)


def test_long_runs_of_a_large_mask_are_read() -> None:
    mask = np.zeros((3000, 4000), bool)
    mask[10:2990, 5:3990] = True
    mask[700, 800] = False
    assert run_lengths(encode_mask(mask)).sum() == mask.size
    row, column, crop = decode_crop(encode_mask(mask))
    assert (row, column, crop.shape, int(crop.sum())) == (10, 5, (2980, 3985), int(mask.sum()))


def test_the_code_of_an_empty_mask_has_no_crop() -> None:
    with pytest.raises(EmptyMaskError, match="no foreground pixel"):
        decode_crop(encode_mask(np.zeros((5, 7), bool)))


@pytest.mark.parametrize("counts", ["", "abc", "0" * 50, "\x7f", "\n", "ä", "~", "P" * 40 + "0", "1111"])
def test_a_code_that_is_no_mask_of_the_image_is_an_error_and_never_noise(counts: str) -> None:
    with pytest.raises(ValueError, match="run"):
        decode_crop(Rle([10, 10], counts))


@given(st.text(alphabet=[chr(n) for n in range(48, 112)], max_size=12), st.integers(1, 9), st.integers(1, 9))
def test_any_string_is_a_mask_of_the_image_or_an_error(counts: str, height: int, width: int) -> None:
    try:
        runs = run_lengths(Rle([height, width], counts))
    except ValueError:
        return
    assert runs.sum() == height * width and runs.min() >= 0
    mask = np.repeat(np.arange(runs.size) % 2, runs).reshape(width, height).T.astype(bool)
    assert np.array_equal(decode_mask(Rle([height, width], counts)), mask)


@given(boxes(), boxes())
def test_iou_is_symmetric_and_between_zero_and_one(a: list[float], b: list[float]) -> None:
    assert iou(a, b) == pytest.approx(iou(b, a))
    assert 0 <= iou(a, b) <= 1 + 1e-12


@given(boxes())
def test_a_box_overlaps_itself_wholly(box: list[float]) -> None:
    assert iou(box, box) == pytest.approx(1)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0, 0, 10, 10], [5, 0, 15, 10], 1 / 3),
        ([0, 0, 10, 10], [10, 0, 20, 10], 0),
        ([0, 0, 10, 10], [10, 10, 20, 20], 0),
        ([0, 0, 10, 10], [2, 2, 7, 7], 0.25),
        ([0, 0, 10, 10], [5, 5, 5, 5], 0),
        ([0, 0, 10, 10], [8, 8, 2, 2], 0),
        ([3, 3, 3, 3], [3, 3, 3, 3], 0),
    ],
)
def test_iou_of_known_boxes(a: list[float], b: list[float], expected: float) -> None:
    assert iou(a, b) == pytest.approx(expected)
    assert iou_matrix(np.array([a]), np.array([b]))[0, 0] == pytest.approx(expected)


@settings(deadline=None)
@given(st.lists(boxes(), max_size=5), st.lists(boxes(), max_size=5))
def test_the_matrix_holds_the_pairwise_values(a: list[list[float]], b: list[list[float]]) -> None:
    matrix = iou_matrix(np.array(a), np.array(b))
    assert matrix.shape == (len(a), len(b))
    for i, first in enumerate(a):
        for j, second in enumerate(b):
            assert matrix[i, j] == pytest.approx(iou(first, second), abs=1e-9)


@given(boxes(), boxes(), st.floats(0.1, 10), st.floats(-50, 50))
def test_iou_does_not_change_when_both_boxes_are_scaled_and_moved(a, b, scale, shift) -> None:
    moved = [[value * scale + shift for value in box] for box in (a, b)]
    assert iou(*moved) == pytest.approx(iou(a, b), abs=1e-6)


def test_a_degenerate_box_has_no_area() -> None:
    assert box_area([5, 5, 5, 9]) == box_area([9, 9, 2, 2]) == 0
    assert box_area([0, 0, 2.5, 4]) == 10


@pytest.mark.parametrize(
    "box",
    [
        [0, 0, 10],
        [0, 0, 10, 10, 3],
        [float("nan"), 0, 5, 5],
        [0, 0, float("inf"), 5],
        [5, 0, 5, 9],
        [9, 0, 5, 9],
        [-1, 0, 5, 5],
        [0, 0, 11, 5],
    ],
)
def test_an_impossible_box_is_an_error_that_names_its_owner(box: list[float]) -> None:
    with pytest.raises(ValueError, match="query q1: "):
        check_box(box, 10, 10, "query q1")


def test_the_whole_image_is_a_possible_box() -> None:
    assert check_box([0, 0, 10, 8], 10, 8, "q") == [0.0, 0.0, 10.0, 8.0]
