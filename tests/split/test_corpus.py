"""Tags of examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.splits import in_reading_order
from stages.split.corpus import claim_kinds, size_bin


@pytest.mark.parametrize(("side", "expected"), [(9.9, "small"), (10.0, "medium"), (28.0, "medium"), (28.3, "large"), (100.0, "large")])
def test_size_bins_begin_at_one_and_eight_percent_of_the_image(side: float, expected: str) -> None:
    assert size_bin([[0.0, 0.0, side, side]], 100, 100) == expected


def test_the_size_of_several_targets_is_their_mean() -> None:
    assert size_bin([[0, 0, 5, 5], [0, 0, 30, 30]], 100, 100) == "medium"


@given(st.lists(st.lists(st.floats(0, 100), min_size=4, max_size=4), max_size=6), st.randoms())
def test_reading_order_does_not_depend_on_the_order_given(boxes, random) -> None:
    shuffled = boxes.copy()
    random.shuffle(shuffled)
    ordered = in_reading_order(boxes)
    assert in_reading_order(shuffled) == ordered
    assert [box[1] for box in ordered] == sorted(box[1] for box in boxes)


def test_claims_that_the_writer_did_not_give_have_no_kinds() -> None:
    assert claim_kinds(None) == claim_kinds([]) == []
