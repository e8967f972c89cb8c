"""Run lengths: the code of a crop is the code of the whole mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.core.geometry import encode_mask
from stages.ingest.run_lengths import RunLengthError, counts_of_text, crop_of_counts, crop_of_runs, encode_crop, encode_whole

masks = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans())


@given(masks)
def test_the_code_of_a_mask_is_that_of_pycocotools(mask: np.ndarray) -> None:
    assert encode_whole(mask) == encode_mask(mask)


@given(masks, st.integers(0, 3), st.integers(0, 3), st.integers(0, 2), st.integers(0, 2))
def test_the_code_of_a_crop_is_that_of_the_whole_mask(crop: np.ndarray, top: int, left: int, below: int, right: int) -> None:
    whole = np.pad(crop, ((top, below), (left, right)))
    assert encode_crop(crop, (top, left), whole.shape) == encode_mask(whole)


@given(masks)
def test_compressed_counts_are_read_as_pycocotools_writes_them(mask: np.ndarray) -> None:
    counts = counts_of_text(encode_mask(mask).counts)
    assert counts.sum() == mask.size
    assert np.repeat(np.arange(len(counts)) % 2 == 1, counts).tolist() == mask.ravel(order="F").tolist()
    if mask.any():
        crop, (top, left) = crop_of_counts(counts, mask.shape)
        whole = np.zeros_like(mask)
        whole[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
        assert np.array_equal(whole, mask)


@given(masks, st.booleans())
def test_runs_give_back_the_mask_in_either_order(mask: np.ndarray, by_columns: bool) -> None:
    flat = np.concatenate([[0], mask.ravel(order="F" if by_columns else "C").astype(int), [0]])
    starts, ends = np.flatnonzero(np.diff(flat) == 1), np.flatnonzero(np.diff(flat) == -1)
    if starts.size == 0:
        return
    crop, (top, left) = crop_of_runs(starts, ends - starts, mask.shape, by_columns)
    assert crop.sum() == mask.sum() and np.array_equal(mask[top : top + crop.shape[0], left : left + crop.shape[1]], crop)


@pytest.mark.parametrize(
    ("starts", "lengths", "message"),
    [
        ([], [], "no run"),
        ([0, 4], [2, 0], "run 2 has the length 0"),
        ([10], [3], "covers pixels 10 to 12"),
        ([-1], [3], "covers pixels -1 to 1"),
        ([0, 2], [3, 2], "overlap at pixel 2"),
    ],
)
def test_runs_that_make_no_mask_say_why(starts: list, lengths: list, message: str) -> None:
    with pytest.raises(RunLengthError, match=message):
        crop_of_runs(np.array(starts, int), np.array(lengths, int), (3, 4), by_columns=True)


@pytest.mark.parametrize(("text", "message"), [("0\u00e9", "character"), ("oo", "within a number")])
def test_damaged_compressed_counts_say_why(text: str, message: str) -> None:
    with pytest.raises(RunLengthError, match=message):
        counts_of_text(text)


def test_counts_that_do_not_fill_the_image_are_refused_before_a_pixel_is_written() -> None:
    with pytest.raises(RunLengthError, match="add up to 13, the image of 4 x 3 has 12"):
        crop_of_counts(np.array([6, 7]), (3, 4))
