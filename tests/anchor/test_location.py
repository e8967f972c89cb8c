"""Where an object lies, whose side that is, and its places among its kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.anchor.location import crosses_midline, location_of, patient_side
from stages.anchor.ranks import ranks_of
from stages.core.claims import Claim, select
from stages.core.records import Ranks
from stages.knowledge.words import thresholds
from tests.core.claim_scenes import dot, scene

T = thresholds()
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
    place = location_of([x, y], BOX, 100, 100, None, T)
    assert (place.cell, place.vertical, place.image_side, place.patient_side) == (cell, vertical, side, None)


def test_the_middle_band_is_five_percent_of_the_width_to_either_side() -> None:
    sides = [location_of([x, 50], BOX, 200, 100, None, T).image_side for x in (89.9, 90.0, 110.0, 110.1)]
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
    assert location_of([50, 40], box, 100, 80, None, T).touches == touches


@pytest.mark.parametrize(
    ("box", "crosses"),
    [
        ([10, 0, 40, 9], False),
        ([60, 0, 90, 9], False),
        ([30, 0, 70, 9], True),
        ([46.5, 0, 80, 9], True),
        ([46.5, 0, 53.5, 9], True),
        ([10, 0, 52, 9], None),
        ([10, 0, 50.5, 9], False),
        ([0, 0, 100, 9], True),
    ],
)
def test_an_object_crosses_the_midline_when_it_reaches_beyond_it_to_both_sides(box, crosses) -> None:
    assert crosses_midline(box, 100, T) is crosses
    place = location_of([50, 4], box, 100, 80, "patient_right", T)
    assert place.crosses_midline is crosses
    assert location_of([50, 4], box, 100, 80, None, T).crosses_midline is None


@given(st.floats(0, 99), st.floats(0.5, 60))
def test_crossing_the_midline_does_not_change_under_a_mirror(x0: float, size: float) -> None:
    x1 = min(100.0, x0 + size)
    near = abs(min(50 - x0, x1 - 50) / 100 - T.midline) - T.midline_margin
    if abs(near) > 1e-9:
        assert crosses_midline([x0, 0, x1, 9], 100, T) == crosses_midline([100 - x1, 0, 100 - x0, 9], 100, T)


def test_ranks_are_among_the_label_and_equal_values_share_the_better_place() -> None:
    labels = ["liver lesion", "liver", "liver lesion", "liver lesion"]
    ranks = ranks_of(labels, [30, 900, 50, 30], [[10, 10], [0, 0], [20, 10], [10, 40]], 100, 100, T)
    assert [(r.n_same_label, r.size, r.x, r.y) for r in ranks] == [(3, 2, 1, 1), (1, 1, 1, 1), (3, 1, 3, 1), (3, 2, 1, 3)]
    assert [(r.size_tied, r.x_tied, r.y_tied) for r in ranks] == [(1, 1, 1), (0, 0, 0), (0, 0, 1), (1, 1, 0)]


@pytest.mark.parametrize(("larger", "tied"), [(119, 1), (120, 0), (121, 0)])
def test_sizes_are_tied_below_the_ratio_that_words_need(larger: int, tied: int) -> None:
    ranks = ranks_of(["polyp", "polyp"], [100, larger], [[0, 0], [90, 90]], 100, 100, T)
    assert [r.size_tied for r in ranks] == [tied, tied]
    assert [r.size for r in ranks] == [2, 1]


def test_nothing_has_no_ranks() -> None:
    assert ranks_of([], [], [], 10, 10, T) == []
    assert ranks_of(["polyp"], [5], [[1, 1]], 10, 10, T) == [Ranks(1, 1, 1, 1, 0, 0, 0)]


ROWS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 40), st.integers(0, 40), st.integers(0, 40)), max_size=12)


@given(ROWS)
def test_ranks_are_counts_of_those_strictly_before(rows) -> None:
    labels, areas, centroids = [r[0] for r in rows], [r[1] for r in rows], [[r[2], r[3]] for r in rows]
    for row, rank in zip(rows, ranks_of(labels, areas, centroids, 200, 300, T), strict=True):
        same = [other for other in rows if other[0] == row[0]]
        assert rank.n_same_label == len(same)
        assert sorted(-o[1] for o in same)[rank.size - 1] == -row[1]
        assert sorted(o[2] for o in same).index(row[2]) + 1 == rank.x
        assert sorted(o[3] for o in same).index(row[3]) + 1 == rank.y
        ratios = [max(o[1], row[1]) / min(o[1], row[1]) for o in same]
        assert rank.size_tied == sum(ratio < T.rank_size_ratio for ratio in ratios) - 1
        assert rank.x_tied == sum(abs(o[2] - row[2]) < T.rank_position * 200 for o in same) - 1
        assert rank.y_tied == sum(abs(o[3] - row[3]) < T.rank_position * 300 for o in same) - 1


# No two sizes are exactly at the ratio, no two places exactly at the distance, where rounding would decide.
FEW = st.tuples(st.sampled_from([50, 55, 70, 100, 110, 200]), st.sampled_from([10, 12, 14, 30, 34, 80]))


@given(st.lists(FEW, min_size=2, max_size=6))
def test_the_largest_without_a_tie_is_what_the_claim_language_calls_the_largest(rows) -> None:
    ranks = ranks_of(["polyp"] * len(rows), [r[0] for r in rows], [[r[1], 50] for r in rows], 100, 100, T)
    view = scene(*(dot(x, 50, size=size) for size, x in rows))
    for value, place in (("size:1", "size"), ("x:1", "x")):
        chosen = select([Claim("rank", value)], view, T).certain
        expected = {str(n) for n, rank in enumerate(ranks) if getattr(rank, place) == 1 and getattr(rank, f"{place}_tied") == 0}
        assert chosen == expected
