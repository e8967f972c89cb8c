"""Relations, against what can be read from the masks by brute force."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from stages.anchor.regions import Region
from stages.anchor.relations import Frame, relations_of
from stages.core.claims import TRUE, Thresholds, between_margin, touching_margin
from stages.core.records import Relation, Rle
from stages.knowledge.words import thresholds
from tests.anchor.scenes import disc, rectangle

T = thresholds()


def _region(mask: np.ndarray, label: str = "liver lesion") -> Region:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    crop = np.ascontiguousarray(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return Region(label, "lesion", 0, int(rows[0]), int(columns[0]), crop, Rle(list(mask.shape), ""))


def _centroid(mask: np.ndarray) -> list[float]:
    rows, columns = np.nonzero(mask)
    return [float(columns.mean() + 0.5), float(rows.mean() + 0.5)]


def _related(masks: Sequence[np.ndarray], labels: Sequence[str] | None = None, spacing_mm: list[float] | None = None, t: Thresholds = T) -> list[list[Relation]]:
    regions = [_region(mask, label) for mask, label in zip(masks, labels or ["liver lesion"] * len(masks), strict=True)]
    frame = Frame(masks[0].shape[1], masks[0].shape[0], spacing_mm)
    return relations_of(regions, [str(n) for n in range(len(masks))], [_centroid(mask) for mask in masks], frame, t)


def _relations(*masks: np.ndarray) -> list[list[tuple[str, str, float, float]]]:
    return [[(r.kind, r.other, r.gap_px, r.overlap) for r in relations if r.kind != "between"] for relations in _related(masks)]


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


@pytest.mark.parametrize(("x", "tied"), [(60, True), (63, True), (65, False), (80, False)])
def test_a_nearest_neighbour_is_tied_when_another_is_hardly_further(x: int, tied: bool) -> None:
    # Gaps to the left and to the right of the middle one: 20 and x - 40; 1.2 times 20 is 24.
    middle, left, right = rectangle(20, 90, 30, 5, 40, 15), rectangle(20, 90, 0, 5, 10, 15), rectangle(20, 90, x, 5, 85, 15)
    found = _related([middle, left, right])
    assert [(r.other, r.gap_px, r.tied) for r in found[0] if r.kind == "nearest"] == [("1", 20.0, tied)]
    assert all(relation.tied is None for relations in found for relation in relations if relation.kind != "nearest")


def test_two_in_contact_with_one_are_tied_and_one_further_on_is_not() -> None:
    found = _related([rectangle(12, 60, x, 2, x + 9, 11) for x in (0, 9, 18, 40)])
    assert [relation.tied for relations in found for relation in relations if relation.kind == "nearest"] == [False, True, False, False]


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
    assert relations_of([], [], [], Frame(9, 9, None), T) == []


def test_an_object_in_a_bay_is_not_inside() -> None:
    bay = rectangle(20, 20, 2, 2, 18, 18) & ~rectangle(20, 20, 8, 0, 12, 10)
    assert [row[0] for row in _relations(bay, rectangle(20, 20, 9, 6, 11, 8))[1]] == ["nearest", "touching"]


SCENES = st.lists(arrays(bool, (9, 11), elements=st.booleans(), fill=st.just(False)).filter(lambda m: m.any()), min_size=2, max_size=5)


def _filled(mask: np.ndarray) -> np.ndarray:
    return ndimage.binary_fill_holes(mask)


def _brute_gap(a: np.ndarray, b: np.ndarray, mm_xy: tuple[float, float] = (1, 1)) -> float:
    rows, columns = np.moveaxis(np.clip(np.abs(np.argwhere(a)[:, None, :] - np.argwhere(b)[None, :, :]) - 1, 0, None), 2, 0)
    return float(np.hypot(rows * mm_xy[1], columns * mm_xy[0]).min())


def _oracle(masks: Sequence[np.ndarray]) -> list[list[tuple[str, str, float, float]]]:
    """Relations but "between", by plain loops over pixels and pairs."""
    found: list[list[tuple[str, str, float, float]]] = [[] for _ in masks]
    sizes = [int(_filled(mask).sum()) for mask in masks]
    shares, nested = {}, set()
    for i, j in itertools.permutations(range(len(masks)), 2):
        inner, outer = min(((sizes[i], i, j), (sizes[j], j, i)), key=lambda entry: (entry[0], entry[1]))[1:]
        shares[i, j] = (masks[inner] & _filled(masks[outer])).sum() / masks[inner].sum()
        if sizes[i] != sizes[j] and shares[i, j] >= 0.5:
            nested.add((i, j))
            found[i].append(("inside" if inner == i else "containing", str(j), _brute_gap(masks[i], masks[j]), shares[i, j]))
        elif _brute_gap(masks[i], masks[j]) <= 3:
            found[i].append(("touching", str(j), _brute_gap(masks[i], masks[j]), shares[i, j]))
    boxes = [_region(mask).box_xyxy_px for mask in masks]
    for i in range(len(masks)):
        others = [j for j in range(len(masks)) if j != i and (i, j) not in nested]
        keys = {j: (_brute_gap(masks[i], masks[j]), _centre_distance(boxes[i], boxes[j]), j) for j in others}
        if others:
            j = min(others, key=keys.__getitem__)
            found[i].append(("nearest", str(j), keys[j][0], shares[i, j]))
    return [sorted(rows) for rows in found]


def _centre_distance(a: list[float], b: list[float]) -> float:
    return round(math.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]), 6)


@settings(max_examples=120, deadline=None)
@given(SCENES)
def test_relations_are_those_of_plain_loops_over_pixels_and_pairs(masks) -> None:
    for mine, plain in zip(_relations(*masks), _oracle(masks), strict=True):
        assert [row[:2] for row in mine] == [row[:2] for row in plain]
        for row, expected in zip(mine, plain, strict=True):
            assert row[2:] == pytest.approx(expected[2:], abs=1e-4)


def test_relations_of_a_crowded_field_are_those_of_plain_loops() -> None:
    random = np.random.default_rng(5)
    masks = [disc(70, 90, *random.uniform(5, 65, 2), random.uniform(1, 8)) for _ in range(24)]
    masks.append(disc(70, 90, 30, 30, 26) & ~disc(70, 90, 30, 30, 17))
    masks = [mask for mask in masks if mask.any()]
    for mine, plain in zip(_relations(*masks), _oracle(masks), strict=True):
        assert [row[:2] for row in mine] == [row[:2] for row in plain]


@settings(max_examples=60, deadline=None)
@given(SCENES, st.sampled_from([[1.0, 1.0], [0.5, 0.5], [0.7, 2.0], [3.0, 0.4]]))
def test_gaps_in_millimetres_follow_the_spacing_of_each_axis(masks, spacing) -> None:
    for index, relations in enumerate(_related(masks, spacing_mm=spacing)):
        for relation in relations:
            expected = _brute_gap(masks[index], masks[int(relation.other)], (spacing[1], spacing[0]))
            assert relation.gap_mm == pytest.approx(expected, abs=1e-3)


def test_a_gap_in_millimetres_is_absent_without_spacing() -> None:
    assert {r.gap_mm for rows in _related([disc(30, 60, 10, 10, 5), disc(30, 60, 40, 10, 5)]) for r in rows} == {None}


def test_a_limit_in_millimetres_makes_further_things_touch_where_the_spacing_is_known() -> None:
    t = dataclasses.replace(T, touching_mm=4.0)
    masks = [rectangle(30, 60, 5, 5, 15, 15), rectangle(30, 60, 25, 5, 35, 15)]

    def contact(spacing_mm: list[float] | None, t: Thresholds) -> list[float]:
        return [touching_margin(r, t) for r in _related(masks, spacing_mm=spacing_mm, t=t)[0] if r.kind == "touching"]

    assert contact([1.0, 1.0], T) == contact(None, t) == contact([1.0, 1.0], t) == []
    assert contact([0.4, 0.4], t) == [pytest.approx(TRUE)]
    assert contact([0.2, 0.2], t)[0] > TRUE
    assert contact([0.8, 0.8], t) == [pytest.approx(-TRUE)]


def test_offsets_lead_to_the_other_centroid_and_sizes_are_compared() -> None:
    first, second = _related([rectangle(40, 80, 10, 5, 20, 15), rectangle(40, 80, 50, 15, 70, 35)])
    (there,), (back,) = first, second
    assert (there.dx, there.dy, there.size_ratio) == (45 / 80, 15 / 40, 0.25)
    assert (back.dx, back.dy, back.size_ratio) == (-45 / 80, -15 / 40, 4)


def _between(*masks: np.ndarray, labels: Sequence[str]) -> dict[int, tuple[str, str, float, float]]:
    return {n: (r.other, r.second, r.along, r.across) for n, rows in enumerate(_related(masks, labels)) for r in rows if r.kind == "between"}


A, B, MIDDLE = disc(60, 100, 15, 30, 6), disc(60, 100, 85, 30, 6), disc(60, 100, 50, 33, 5)


def test_what_lies_on_the_line_between_two_landmarks_is_between_them() -> None:
    assert _between(A, MIDDLE, B, labels=["liver", "liver lesion", "spleen"]) == {1: ("0", "2", 0.5, pytest.approx(3 / 70, abs=1e-3))}


def test_two_of_one_label_are_a_pair_to_lie_between_and_three_are_not() -> None:
    assert list(_between(A, MIDDLE, B, labels=["nerve", "vessel", "nerve"])) == [1]
    assert _between(A, MIDDLE, B, disc(60, 100, 50, 55, 4), labels=["nerve", "vessel", "nerve", "nerve"]) == {}


@pytest.mark.parametrize("spot", [(50, 54), (92, 30), (8, 30), (50, 8)])
def test_what_lies_beside_or_beyond_is_not_between(spot: tuple[int, int]) -> None:
    assert _between(A, disc(60, 100, *spot, 3), B, labels=["liver", "liver lesion", "spleen"]) == {}


def test_what_lies_in_a_landmark_is_not_between_it_and_another() -> None:
    organ, lesion = disc(60, 100, 30, 30, 28), disc(60, 100, 48, 30, 4)
    assert _between(organ, lesion, disc(60, 100, 85, 30, 6), labels=["liver", "liver lesion", "spleen"]) == {}


def test_the_margin_of_between_ends_where_the_thresholds_say() -> None:
    along, across = np.array([0.5, 0.25, 0.2, 0.15, 0.5, 0.5, 0.5]), np.array([0.0, 0.0, 0.0, 0.0, 0.15, 0.2, 0.25])
    assert between_margin(along, across, T) == pytest.approx([4, 1, 0, -1, 1, 0, -1])


@settings(max_examples=80, deadline=None)
@given(SCENES)
def test_every_object_has_a_nearest_neighbour_unless_it_only_has_containers_or_contents(masks) -> None:
    for index, relations in enumerate(_related(masks)):
        contained = {int(relation.other) for relation in relations if relation.kind in ("inside", "containing")}
        free = [n for n in range(len(masks)) if n != index and n not in contained]
        nearest = [relation for relation in relations if relation.kind == "nearest"]
        assert len(nearest) == bool(free)
        if free:
            gaps = sorted(_brute_gap(masks[index], masks[n]) for n in free)
            assert nearest[0].gap_px == pytest.approx(gaps[0], abs=1e-4)
            assert nearest[0].tied == (len(gaps) > 1 and gaps[1] <= T.nearest_ratio * gaps[0])


@settings(max_examples=60, deadline=None)
@given(SCENES)
def test_inside_and_containing_come_in_pairs_and_contact_is_mutual(masks) -> None:
    mirror = {"inside": "containing", "containing": "inside", "touching": "touching"}
    found = {(index, kind, int(other)) for index, rows in enumerate(_relations(*masks)) for kind, other, *_ in rows}
    assert all((other, mirror[kind], index) in found for index, kind, other in found if kind in mirror)
