"""Which slices of a volume are chosen, and in which plane."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stages.core.params import ParamError
from stages.ingest.slices import Bounds, bounds_of, choose_slices, plane_of
from tests.ingest.sources import limits, make_card, volume_card

areas = hnp.arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 30)), elements=st.integers(0, 500))


@given(areas, st.integers(1, 5), st.integers(1, 6), st.integers(1, 5))
def test_slices_are_few_far_enough_apart_ordered_and_never_empty(areas_px: np.ndarray, most: int, gap: int, per_label: int) -> None:
    chosen = choose_slices(areas_px, Bounds(most, per_label, gap), 16)
    assert len(chosen) <= min(most, per_label * len(areas_px))
    assert all(later - earlier >= gap for earlier, later in zip(chosen, chosen[1:], strict=False))
    assert all(areas_px[:, index].any() for index in chosen)
    assert bool(chosen) == bool(areas_px.any())


def test_the_first_choice_shows_most_and_the_next_shows_what_it_lacked() -> None:
    liver = [0, 50, 100, 90, 60, 0, 0, 0, 0]
    kidney = [0, 0, 0, 0, 0, 30, 60, 100, 80]
    assert choose_slices(np.array([liver, kidney]), Bounds(2, 2, 2), 16) == [2, 7]


def test_slivers_below_the_least_size_do_not_attract() -> None:
    assert choose_slices(np.array([[15, 100, 90], [15, 0, 0]]), Bounds(1, 1, 1), 16) == [1]


def test_slices_of_a_long_object_are_spread_over_it() -> None:
    aorta = np.full((1, 40), 100)
    chosen = choose_slices(aorta, Bounds(4, 4, 2), 16)
    assert len(chosen) == 4
    assert min(np.diff(chosen)) >= 9


def test_area_still_outweighs_distance() -> None:
    spindle = np.array([[20, 40, 80, 100, 90, 95, 80, 40, 20]])
    assert choose_slices(spindle, Bounds(2, 2, 2), 16) == [3, 5]


def test_a_label_attracts_no_more_slices_than_it_may() -> None:
    liver = [0, 90, 100, 90, 80, 70, 60, 50, 40]
    spleen = [0, 0, 0, 0, 0, 0, 0, 20, 30]
    assert choose_slices(np.array([liver]), Bounds(5, 2, 2), 16) == [2, 5]
    short = [0, 90, 100, 90, 80, 0, 0, 0, 0]
    assert choose_slices(np.array([short, spleen]), Bounds(5, 1, 2), 16) == [2, 8]


def test_the_cards_numbers_come_before_those_of_the_parameters(tmp_path: Path) -> None:
    bounds = limits(max_slices_per_volume=3, max_slices_per_label=2, min_slice_gap=4)
    assert bounds_of(make_card(tmp_path, volume_card()), bounds) == Bounds(3, 2, 4)
    assert bounds_of(make_card(tmp_path, volume_card(slices={"per_volume": 9, "min_gap": 1})), bounds) == Bounds(9, 2, 1)


def test_a_number_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="slices.*at least 1|slices.*1"):
        bounds_of(make_card(tmp_path, volume_card(slices={"min_gap": 0})), limits())


@pytest.mark.parametrize(
    ("spacing_mm", "plane"),
    [
        ([5.0, 0.8, 0.8], "axial"),
        ([0.8, 3.0, 0.8], "coronal"),
        ([0.8, 0.8, 3.0], "sagittal"),
        ([1.0, 1.4, 1.0], "axial"),
        ([3.0, 3.0, 0.8], "axial"),
    ],
)
def test_the_plane_lies_across_the_clearly_coarsest_axis(tmp_path: Path, spacing_mm: list[float], plane: str) -> None:
    assert plane_of(make_card(tmp_path, volume_card(plane=None)), spacing_mm) == plane
    assert plane_of(make_card(tmp_path, volume_card(plane="coronal")), spacing_mm) == "coronal"
