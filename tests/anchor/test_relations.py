"""Relations, against what can be read from the masks by brute force."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.anchor.derive import derive
from stages.anchor.regions import Region
from stages.anchor.relations import filled, relations_of
from stages.core.records import Rle
from tests.anchor.scenes import PARAMS, disc, rectangle, sample_of


def _region(mask: np.ndarray) -> Region:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    crop = np.ascontiguousarray(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return Region("liver lesion", "lesion", 0, int(rows[0]), int(columns[0]), crop, Rle(list(mask.shape), ""))


def _relations(*masks: np.ndarray):
    found = relations_of([_region(mask) for mask in masks], [str(n) for n in range(len(masks))])
    return [[(r.kind, r.other, r.gap_px, r.overlap) for r in relations] for relations in found]


def test_a_disc_in_a_disc_is_inside_and_contained() -> None:
    assert _relations(disc(60, 60, 30, 30, 25), disc(60, 60, 30, 30, 8)) == [[("containing", "1", 0, 1)], [("inside", "0", 0, 1)]]


def test_an_object_in_the_hole_of_a_ring_is_inside_and_the_gap_says_that_they_do_not_touch() -> None:
    ring = disc(60, 60, 30, 30, 25) & ~disc(60, 60, 30, 30, 20)
    first, second = _relations(ring, rectangle(60, 60, 28, 28, 32, 32))
    assert [row[:2] for row in first] == [("containing", "1")]
    assert second[0][0] == "inside" and second[0][2] > 10 and second[0][3] == 1


def test_half_in_is_inside_and_less_is_not() -> None:
    organ = rectangle(40, 60, 0, 0, 30, 40)
    assert _relations(organ, rectangle(40, 60, 25, 10, 35, 20))[1] == [("inside", "0", 0, 0.5)]
    assert _relations(organ, rectangle(40, 60, 26, 10, 36, 20))[1] == [("nearest", "0", 0, 0.4), ("touching", "0", 0, 0.4)]


@pytest.mark.parametrize(("offset", "gap"), [(10, 0), (11, 1), (13, 3), (14, 4)])
def test_the_gap_is_between_pixel_edges_and_contact_ends_after_three_pixels(offset: int, gap: float) -> None:
    first, second = _relations(rectangle(30, 60, 5, 5, 15, 15), rectangle(30, 60, 5 + offset, 5, 15 + offset, 15))
    kinds = ["nearest", "touching"] if gap <= 3 else ["nearest"]
    assert [row[0] for row in first] == [row[0] for row in second] == kinds
    assert {row[2] for row in first + second} == {gap}


def test_pixels_that_meet_at_a_corner_touch() -> None:
    first, _ = _relations(rectangle(20, 20, 2, 2, 6, 6), rectangle(20, 20, 6, 6, 10, 10))
    assert first == [("nearest", "1", 0, 0), ("touching", "1", 0, 0)]


def test_the_nearest_is_by_the_gap_of_the_masks_and_not_by_centroids() -> None:
    small, long, close = rectangle(60, 100, 0, 28, 6, 32), rectangle(60, 100, 12, 28, 100, 32), disc(60, 100, 10, 45, 3)
    assert [row[1] for row in _relations(small, long, close)[0] if row[0] == "nearest"] == ["1"]


def test_the_container_is_not_the_nearest_neighbour() -> None:
    organ, first, second = disc(60, 60, 30, 30, 28), disc(60, 60, 20, 30, 4), disc(60, 60, 42, 30, 4)
    relations = _relations(organ, first, second)
    assert [row[:2] for row in relations[1]] == [("inside", "0"), ("nearest", "2")]
    assert "nearest" not in {row[0] for row in relations[0]}


def test_equal_masks_touch_and_neither_is_inside() -> None:
    mask = disc(30, 30, 15, 15, 8)
    assert [[row[0] for row in rows] for rows in _relations(mask, mask)] == [["nearest", "touching"]] * 2


def test_one_object_alone_has_no_relations() -> None:
    assert _relations(disc(30, 30, 15, 15, 8)) == [[]]
    assert relations_of([], []) == []


def test_filling_closes_holes_and_nothing_else() -> None:
    mask = disc(40, 40, 20, 20, 15) & ~disc(40, 40, 20, 20, 5)
    assert np.array_equal(filled(mask), disc(40, 40, 20, 20, 15))
    bay = rectangle(20, 20, 2, 2, 18, 18) & ~rectangle(20, 20, 8, 0, 12, 10)
    assert np.array_equal(filled(bay), bay)


SCENES = st.lists(arrays(bool, (9, 11), elements=st.booleans(), fill=st.just(False)).filter(lambda m: m.any()), min_size=2, max_size=5)


def _brute_gap(a: np.ndarray, b: np.ndarray) -> float:
    apart = np.abs(np.argwhere(a)[:, None, :] - np.argwhere(b)[None, :, :])
    return float(np.hypot(*np.moveaxis(np.clip(apart - 1, 0, None), 2, 0)).min())


@settings(max_examples=80, deadline=None)
@given(SCENES)
def test_gaps_and_overlaps_are_those_of_a_brute_force_search(masks) -> None:
    for index, relations in enumerate(_relations(*masks)):
        assert relations == sorted(relations)
        for kind, other, gap, overlap in relations:
            first, second = masks[index], masks[int(other)]
            assert gap == pytest.approx(_brute_gap(first, second), abs=1e-4)
            if kind in ("inside", "containing"):
                inner, outer = (first, second) if kind == "inside" else (second, first)
                assert overlap == pytest.approx((inner & filled(outer)).sum() / inner.sum(), abs=1e-4)
                assert overlap >= 0.5
            if kind == "touching":
                assert gap <= 3


@settings(max_examples=80, deadline=None)
@given(SCENES)
def test_every_object_has_a_nearest_neighbour_unless_it_only_has_containers_or_contents(masks) -> None:
    for index, relations in enumerate(_relations(*masks)):
        contained = {int(other) for kind, other, *_ in relations if kind in ("inside", "containing")}
        free = [n for n in range(len(masks)) if n != index and n not in contained]
        nearest = [row for row in relations if row[0] == "nearest"]
        assert len(nearest) == bool(free)
        if free:
            assert nearest[0][2] == pytest.approx(min(_brute_gap(masks[index], masks[n]) for n in free), abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(SCENES)
def test_inside_and_containing_come_in_pairs_and_contact_is_mutual(masks) -> None:
    mirror = {"inside": "containing", "containing": "inside", "touching": "touching"}
    found = {(index, kind, int(other)) for index, rows in enumerate(_relations(*masks)) for kind, other, *_ in rows}
    assert all((other, mirror[kind], index) in found for index, kind, other in found if kind in mirror)


def test_two_hundred_and_fifty_objects_take_about_a_second() -> None:
    random = np.random.default_rng(0)
    masks = [("cell nucleus", disc(512, 512, *random.uniform(10, 500, 2), random.uniform(4, 12))) for _ in range(250)]
    sample = sample_of(masks, spacing_mm=[0.5, 0.5])
    start = time.process_time()
    derived = derive(sample, PARAMS)
    assert len(derived.anchors) == 250
    assert time.process_time() - start < 3
