"""Where an object lies, whose side that is, and its places among its kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.anchor.location import location_of, patient_side, ranks_of

BOX = [40.0, 40.0, 60.0, 60.0]


@pytest.mark.parametrize(
    ("x", "y", "cell", "vertical", "side"),
    [
        (10, 10, "upper left", "upper", "left"),
        (50, 10, "upper centre", "upper", "central"),
        (90, 10, "upper right", "upper", "right"),
        (10, 50, "middle left", "middle", "left"),
        (50, 50, "centre", "middle", "central"),
        (40, 50, "centre", "middle", "left"),
        (90, 50, "middle right", "middle", "right"),
        (10, 90, "lower left", "lower", "left"),
        (60, 90, "lower centre", "lower", "right"),
        (99.5, 99.5, "lower right", "lower", "right"),
    ],
)
def test_cells_are_thirds_and_sides_leave_a_middle_band(x: float, y: float, cell: str, vertical: str, side: str) -> None:
    place = location_of([x, y], BOX, 100, 100, None)
    assert (place.cell, place.vertical, place.image_side, place.patient_side) == (cell, vertical, side, None)


def test_the_middle_band_is_five_percent_of_the_width_to_either_side() -> None:
    sides = [location_of([x, 50], BOX, 200, 100, None).image_side for x in (89.9, 90.0, 110.0, 110.1)]
    assert sides == ["left", "central", "central", "right"]


@pytest.mark.parametrize(
    ("image_side", "image_left_is", "expected"),
    [
        ("left", "patient_right", "right"),
        ("right", "patient_right", "left"),
        ("left", "patient_left", "left"),
        ("right", "patient_left", "right"),
        ("central", "patient_right", "midline"),
        ("left", None, None),
        ("central", None, None),
    ],
)
def test_the_patients_side_follows_from_the_orientation_or_stays_unknown(image_side, image_left_is, expected) -> None:
    assert patient_side(image_side, image_left_is) == expected


def test_an_unknown_orientation_word_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(ValueError, match="image_left_is must be patient_right"):
        patient_side("left", "right")


@pytest.mark.parametrize(
    ("box", "touches"),
    [
        ([0, 5, 10, 10], ["left"]),
        ([5, 0, 100, 10], ["right", "top"]),
        ([5, 5, 99, 80], ["bottom"]),
        ([1, 1, 99, 79], []),
        ([0, 0, 100, 80], ["left", "right", "top", "bottom"]),
    ],
)
def test_contact_with_the_border_is_listed(box: list[float], touches: list[str]) -> None:
    assert location_of([50, 40], box, 100, 80, None).touches == touches


def test_ranks_are_among_the_label_and_ties_share_the_better_place() -> None:
    labels = ["liver lesion", "liver", "liver lesion", "liver lesion"]
    ranks = ranks_of(labels, [30, 900, 50, 30], [[10, 10], [0, 0], [20, 10], [10, 40]])
    assert [(r.n_same_label, r.size, r.x, r.y) for r in ranks] == [(3, 2, 1, 1), (1, 1, 1, 1), (3, 1, 3, 1), (3, 2, 1, 3)]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 5), st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_ranks_are_counts_of_those_strictly_before(rows) -> None:
    labels, areas, centroids = [r[0] for r in rows], [r[1] for r in rows], [[r[2], r[3]] for r in rows]
    for row, rank in zip(rows, ranks_of(labels, areas, centroids), strict=True):
        same = [other for other in rows if other[0] == row[0]]
        assert rank.n_same_label == len(same)
        assert sorted(-o[1] for o in same)[rank.size - 1] == -row[1]
        assert sorted(o[2] for o in same).index(row[2]) + 1 == rank.x
        assert sorted(o[3] for o in same).index(row[3]) + 1 == rank.y
