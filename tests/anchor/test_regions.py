"""Semantic masks to targets: strays merged or dropped, pairs split by side, crowds told, nothing lost without a count."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from stages.anchor.regions import regions_of
from stages.core.geometry import decode_mask
from stages.core.params import AnchorParams
from stages.core.records import Sample
from tests.anchor.scenes import PARAMS, disc, ellipse, rectangle, sample_of

KIDNEYS = disc(80, 120, 25, 40, 14) | disc(80, 120, 95, 44, 13)


def _params(**changes) -> AnchorParams:
    return dataclasses.replace(PARAMS, **changes)


def _found(sample: Sample, params: AnchorParams = PARAMS) -> tuple[list[tuple[str, list[float]]], dict[str, int]]:
    regions, errors, counts = regions_of(sample, params)
    assert errors == []
    return [(region.label, region.box_xyxy_px) for region in regions], dict(counts)


def _semantic(label: str, mask: np.ndarray, **changes) -> Sample:
    return sample_of([(label, mask)], semantic=True, **changes)


@pytest.mark.parametrize(
    ("gap", "merge_gap_px", "box", "counts"),
    [
        (1, 2.0, [10, 10, 34, 30], {"merged.below_min_px": 1}),
        (2, 2.0, [10, 10, 35, 30], {"merged.below_min_px": 1}),
        (3, 2.0, [10, 10, 30, 30], {"dropped.below_min_px": 1}),
        (1, 0.0, [10, 10, 30, 30], {"dropped.below_min_px": 1}),
    ],
)
def test_a_stray_becomes_part_of_a_neighbour_within_the_gap_and_is_dropped_beyond(gap, merge_gap_px, box, counts) -> None:
    mask = rectangle(60, 60, 10, 10, 30, 30) | rectangle(60, 60, 30 + gap, 15, 33 + gap, 18)
    assert _found(_semantic("liver lesion", mask), _params(merge_gap_px=merge_gap_px)) == ([("liver lesion", box)], counts)


def test_a_stray_between_two_goes_to_the_closer_one() -> None:
    mask = rectangle(40, 80, 5, 5, 25, 25) | rectangle(40, 80, 30, 5, 50, 25) | rectangle(40, 80, 27, 10, 29, 12)
    found, counts = _found(_semantic("liver lesion", mask))
    assert [box for _, box in found] == [[5, 5, 25, 25], [27, 5, 50, 25]]
    assert counts == {"merged.below_min_px": 1}


def test_a_limit_in_square_millimetres_holds_only_where_the_spacing_is_known() -> None:
    mask = disc(80, 80, 30, 30, 15) | rectangle(80, 80, 60, 60, 66, 66)
    params = _params(min_component_mm2=20.0)
    assert len(_found(_semantic("liver lesion", mask), params)[0]) == 2
    assert len(_found(_semantic("liver lesion", mask, spacing_mm=[1.0, 1.0]), params)[0]) == 2
    found, counts = _found(_semantic("liver lesion", mask, spacing_mm=[0.5, 1.0]), params)
    assert (len(found), counts) == (1, {"dropped.below_min_mm2": 1})


def test_nothing_but_strays_leaves_no_target_and_their_count() -> None:
    mask = rectangle(40, 40, 2, 2, 4, 4) | rectangle(40, 40, 20, 20, 22, 22)
    assert _found(_semantic("liver", mask)) == ([], {"dropped.below_min_px": 2})


@pytest.mark.parametrize(
    ("image_left_is", "names"),
    [("patient_right", ["right kidney", "left kidney"]), ("patient_left", ["left kidney", "right kidney"])],
)
def test_both_kidneys_in_one_mask_become_left_and_right_where_sides_are_known(image_left_is, names) -> None:
    found, counts = _found(_semantic("kidney", KIDNEYS, image_left_is=image_left_is))
    assert [name for name, _ in found] == names
    assert [box[0] for _, box in found] == [11, 82]
    assert counts == {}


def test_a_half_that_the_plane_cuts_twice_stays_one() -> None:
    mask = KIDNEYS | disc(80, 120, 20, 68, 5)
    found, _ = _found(_semantic("kidney", mask, image_left_is="patient_right"))
    assert found[0] == ("right kidney", [11, 26, 39, 73])


@pytest.mark.parametrize(
    ("mask", "changes"),
    [
        (KIDNEYS, {"image_left_is": None}),
        (KIDNEYS & rectangle(80, 120, 0, 0, 60, 80), {"image_left_is": "patient_right"}),
        (KIDNEYS | rectangle(80, 120, 30, 40, 90, 44), {"image_left_is": "patient_right"}),
    ],
)
def test_a_pair_that_cannot_be_told_apart_keeps_its_name_and_is_counted(mask, changes) -> None:
    found, counts = _found(_semantic("kidney", mask, **changes))
    assert {name for name, _ in found} == {"kidney"}
    assert counts == {"unsplit_pair": 1}


def test_a_crop_beside_the_midline_has_no_halves_to_split_by() -> None:
    sample = dataclasses.replace(_semantic("kidney", KIDNEYS, image_left_is="patient_right"), midline_in_view=False)
    found, counts = _found(sample)
    assert {name for name, _ in found} == {"kidney"} and counts == {"unsplit_pair": 1}


def test_organs_are_split_only_when_asked() -> None:
    mask = disc(90, 90, 25, 40, 18) | disc(90, 90, 65, 40, 15)
    assert len(_found(_semantic("liver", mask))[0]) == 1
    assert len(_found(_semantic("liver", mask), _params(split_organs=True))[0]) == 2


def _cells() -> np.ndarray:
    return np.any([disc(120, 160, x, y, 5) for x in (15, 40, 65) for y in (15, 35)], axis=0)


# Seven touching cells that lie as a U.
_U = [(60, 76), (60, 88), (60, 100), (72, 106), (84, 100), (84, 88), (84, 76)]
CLUMP = np.any([disc(120, 160, x, y, 7) for x, y in _U], axis=0)


def test_a_large_component_with_bays_among_cells_is_a_crowd() -> None:
    regions, _, counts = regions_of(_semantic("cell nucleus", _cells() | CLUMP), PARAMS)
    assert [region.crowd for region in regions] == [False] * 6 + [True]
    assert counts == {"crowd": 1}


@pytest.mark.parametrize(
    ("label", "mask"),
    [
        ("cell nucleus", _cells() | disc(120, 160, 90, 85, 16)),  # large and round: one large cell
        ("liver lesion", _cells() | CLUMP),  # lesions have no usual size
        ("cell nucleus", CLUMP | disc(120, 160, 15, 15, 5)),  # two tell no usual size
    ],
)
def test_what_is_large_without_bays_or_has_no_usual_size_to_compare_with_is_no_crowd(label, mask) -> None:
    assert not any(region.crowd for region in regions_of(_semantic(label, mask), PARAMS)[0])


def _bent(radius: float) -> np.ndarray:
    """A tube of 12 pixels along half a circle, that grows wider to one end."""
    angles = np.linspace(0, np.pi, 60)
    spots = [(80 + radius * np.cos(a), 90 - radius * np.sin(a), 6 + 2 * a) for a in angles]
    return np.any([disc(120, 160, *spot) for spot in spots], axis=0)


_LARGE = disc(120, 160, 60, 60, 25)
TWO = {
    "equal ones": _LARGE | disc(120, 160, 109, 62, 25),
    "a large and a small one": _LARGE | disc(120, 160, 95, 60, 11),
    "overlapping a little": _LARGE | disc(120, 160, 101, 70, 20),
    "a round and a flat one": _LARGE | ellipse(120, 160, 112, 66, 30, 14, 5),
}
ONE = {
    "a round one": _LARGE,
    "cut along": ellipse(120, 160, 80, 60, 60, 9, 30),
    "bent": _bent(30),
    "straight and bent": _bent(60),
    "with a wart": _LARGE | disc(120, 160, 88, 60, 6),
    "waisted": _LARGE | disc(120, 160, 90, 60, 22),
    "branching": rectangle(120, 160, 20, 56, 140, 66) | rectangle(120, 160, 70, 10, 76, 110) | disc(120, 160, 20, 61, 12) | disc(120, 160, 140, 61, 12),
}


@pytest.mark.parametrize(("mask", "crowd"), [*((m, True) for m in TWO.values()), *((m, False) for m in ONE.values())], ids=[*TWO, *ONE])
def test_vessels_side_by_side_in_one_component_are_a_crowd_and_one_of_any_shape_is_none(mask: np.ndarray, crowd: bool) -> None:
    for turned in (mask, mask.T, mask[::-1, ::-1], np.pad(mask[::2, ::2], 3)):
        assert [region.crowd for region in regions_of(_semantic("vessel", turned), PARAMS)[0]] == [crowd]


@pytest.mark.parametrize("label", ["nerve", "ground-glass opacity", "aorta"])
def test_only_vessels_that_come_in_several_are_told_by_their_neck(label: str) -> None:
    sample = _semantic(label, TWO["equal ones"])
    assert not any(region.crowd for region in regions_of(sample, _params(split_organs=True))[0])


def test_a_vessel_with_a_mask_of_its_own_is_no_crowd_and_a_neck_of_0_turns_the_test_off() -> None:
    alone = sample_of([("vessel", TWO["equal ones"])])
    assert not regions_of(alone, PARAMS)[0][0].crowd
    assert not regions_of(_semantic("vessel", TWO["equal ones"]), _params(crowd_neck=0.0))[0][0].crowd


@pytest.mark.parametrize("semantic", [False, True])
def test_what_the_source_calls_a_crowd_is_one(semantic: bool) -> None:
    sample = sample_of([("cell nucleus", CLUMP)], semantic=semantic)
    sample = dataclasses.replace(sample, objects=[dataclasses.replace(sample.objects[0], crowd=True)])
    regions, _, counts = regions_of(sample, PARAMS)
    assert [region.crowd for region in regions] == [True] and counts == {"crowd": 1}


@settings(max_examples=100, deadline=None)
@given(
    arrays(bool, (14, 17), elements=st.booleans(), fill=st.just(False)).filter(lambda mask: mask.any()),
    st.integers(1, 12),
    st.floats(0, 0.5),
    st.floats(0, 3),
)
def test_every_component_is_kept_merged_or_dropped_with_a_count(mask, min_px, min_fraction, gap) -> None:
    params = _params(min_component_px=min_px, min_component_fraction=min_fraction, merge_gap_px=gap)
    regions, errors, counts = regions_of(_semantic("liver lesion", mask), params)
    merged = sum(n for reason, n in counts.items() if reason.startswith("merged."))
    dropped = sum(n for reason, n in counts.items() if reason.startswith("dropped."))
    labels, n = ndimage.label(mask, np.ones((3, 3)))
    assert errors == [] and len(regions) + merged + dropped == n
    kept = np.zeros(mask.shape, int)
    for region in regions:
        whole = decode_mask(region.rle)
        kept += whole
        assert np.array_equal(whole[region.row : region.row + region.mask.shape[0], region.column : region.column + region.mask.shape[1]], region.mask)
        assert whole.sum() == region.mask.sum() >= max(min_px, 1)
    assert kept.max(initial=0) <= 1 and not (kept.astype(bool) & ~mask).any()
    assert len(np.unique(labels[mask & (kept == 0)])) == dropped
