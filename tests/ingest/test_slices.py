"""Which slices of a volume are chosen."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stages.ingest.slices import Bounds, choose_slices

areas = hnp.arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 30)), elements=st.integers(0, 500))


@given(areas, st.integers(1, 5), st.integers(1, 6))
def test_slices_are_few_far_enough_apart_ordered_and_never_empty(areas_px: np.ndarray, most: int, gap: int) -> None:
    chosen = choose_slices(areas_px, Bounds(most, most, gap), 16)
    assert len(chosen) <= most
    assert all(later - earlier >= gap for earlier, later in zip(chosen, chosen[1:], strict=False))
    assert all(areas_px[:, index].any() for index in chosen)
    assert bool(chosen) == bool(areas_px.any())


def test_the_first_choice_shows_most_and_the_next_shows_what_it_lacked() -> None:
    liver = [0, 50, 100, 90, 60, 0, 0, 0, 0]
    kidney = [0, 0, 0, 0, 0, 30, 60, 100, 80]
    assert choose_slices(np.array([liver, kidney]), Bounds(2, 2, 2), 16) == [2, 7]


def test_slivers_below_the_least_size_do_not_attract() -> None:
    assert choose_slices(np.array([[15, 100, 90], [15, 0, 0]]), Bounds(1, 1, 1), 16) == [1]
