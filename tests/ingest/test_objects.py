"""Objects under canonical labels: crops behave as whole masks do, and "*" takes what no other entry names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.core.geometry import decode_mask, encode_mask
from stages.ingest.faults import Fault
from stages.ingest.objects import ObjectMask, from_codes, overlap_flags, unite
from tests.ingest.sources import label_map_card, make_card

masks = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.booleans())


def crop_of(mask: np.ndarray) -> ObjectMask:
    """The object with its mask cut to an arbitrary corner that loses nothing."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = (int(rows[0]), int(columns[0])) if rows.size else (0, 0)
    return ObjectMask("heart", "heart", False, mask[top:, left:], corner=(top, left))


@given(masks, st.integers(1, 12), st.integers(1, 12))
def test_a_crop_is_scaled_as_its_whole_mask_is(mask: np.ndarray, width: int, height: int) -> None:
    size = (min(width, mask.shape[1]), min(height, mask.shape[0]))
    whole = ObjectMask("heart", "heart", False, mask).resized(mask.shape, size)
    assert whole.mask.shape == size[::-1]
    crop = crop_of(mask).resized(mask.shape, size)
    assert np.array_equal(crop.whole(size[::-1]), whole.mask)
    assert crop.encoded(size[::-1]) == whole.encoded(size[::-1]) == encode_mask(whole.mask)


@given(arrays(bool, (2, 7, 9), elements=st.booleans()))
def test_crops_unite_as_whole_masks_do(pair: np.ndarray) -> None:
    united = unite([crop_of(mask) for mask in pair])
    assert np.array_equal(united.whole((7, 9)), pair[0] | pair[1])


def test_a_star_with_instances_gives_one_object_a_value(tmp_path: Path) -> None:
    labels = {"cell nucleus": {"sources": ["*"], "semantic": False}, "nerve": {"sources": [7], "semantic": True}}
    card = make_card(tmp_path, label_map_card(labels=labels, annotated_labels=[], ignored_sources=[9]))
    codes = np.zeros((8, 8), np.uint16)
    codes[1:3, 1:3], codes[4:6, 2:7], codes[7, 7], codes[0, 7], codes[7, 0] = 300, 2, 7, 9, 2
    objects = from_codes(codes, {int(code): str(code) for code in np.unique(codes)}, card, "mask.png")
    assert [(item.label, item.source) for item in objects] == [("cell nucleus", "2"), ("cell nucleus", "300"), ("nerve", "7")]
    assert np.array_equal(objects[0].whole((8, 8)), codes == 2)
    assert np.array_equal(objects[1].whole((8, 8)), codes == 300)


def test_a_star_of_a_semantic_label_is_one_region(tmp_path: Path) -> None:
    labels = {"cell nucleus": {"sources": ["*"], "semantic": True}}
    card = make_card(tmp_path, label_map_card(labels=labels, annotated_labels=[]))
    codes = np.arange(4, dtype=np.uint8).reshape(2, 2)
    (region,) = from_codes(codes, {code: str(code) for code in range(4)}, card, "mask.png")
    assert np.array_equal(region.mask, codes > 0)


def test_without_a_star_an_unnamed_value_is_a_fault(tmp_path: Path) -> None:
    card = make_card(tmp_path, label_map_card())
    with pytest.raises(Fault, match="label '3' is not in the card"):
        from_codes(np.full((2, 2), 3), {3: "3"}, card, "mask.png")


def test_colours_of_a_card_may_be_written_in_capitals(tmp_path: Path) -> None:
    labels = {"nerve": {"sources": ["#FF00AA"], "semantic": True}}
    card = make_card(tmp_path, label_map_card(labels=labels, annotated_labels=["nerve"]))
    (region,) = from_codes(np.full((2, 2), 0xFF00AA), {0xFF00AA: "#ff00aa"}, card, "mask.png")
    assert region.mask.all()


def test_instances_that_share_a_pixel_are_flagged_and_neighbours_are_not() -> None:
    square = np.ones((3, 3), bool)
    apart = [ObjectMask("cell nucleus", "1", False, square, corner=corner) for corner in ((0, 0), (0, 3))]
    assert overlap_flags(apart, (6, 6)) == []
    assert overlap_flags([*apart, ObjectMask("cell nucleus", "2", False, square, corner=(2, 2))], (6, 6)) == ["overlapping_instances"]
    assert overlap_flags([*apart, ObjectMask("cell", "2", False, square, corner=(2, 2))], (6, 6)) == []


def test_a_crop_decodes_at_its_place() -> None:
    item = ObjectMask("heart", "heart", False, np.ones((2, 3), bool), corner=(4, 5))
    assert np.argwhere(decode_mask(item.encoded((10, 12)))).tolist() == [[r, c] for r in (4, 5) for c in (5, 6, 7)]
