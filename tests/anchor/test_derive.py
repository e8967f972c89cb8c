"""A sample to its anchors: components, strays, errors as values, invariances."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.anchor.derive import derive
from stages.core.geometry import decode_mask, encode_crop, encode_mask, tight_box
from stages.core.records import Anchor, Rle
from stages.core.shards import read_table, write_table
from tests.anchor.scenes import PARAMS, disc, ellipse, rectangle, sample_of


def test_a_semantic_mask_of_lesions_gives_one_anchor_per_component_in_reading_order() -> None:
    mask = disc(80, 80, 60, 20, 8) | disc(80, 80, 20, 50, 6) | disc(80, 80, 60, 60, 5)
    anchors = derive(sample_of([("liver lesion", mask)], semantic=True), PARAMS).anchors
    assert [(a.anchor_id, a.instance, a.ranks.n_same_label) for a in anchors] == [(f"toy/case/0#{n}", n, 3) for n in range(3)]
    assert [a.box_xyxy_px for a in anchors] == [[52, 12, 68, 28], [14, 44, 26, 56], [55, 55, 65, 65]]
    assert [a.ranks.size for a in anchors] == [1, 2, 3]
    assert np.array_equal(sum(decode_mask(a.mask_rle).astype(int) for a in anchors), mask.astype(int))


def test_components_that_meet_at_a_corner_are_one() -> None:
    mask = rectangle(40, 40, 5, 5, 15, 15) | rectangle(40, 40, 15, 15, 25, 25)
    assert len(derive(sample_of([("liver lesion", mask)], semantic=True), PARAMS).anchors) == 1


def test_an_organ_in_two_parts_stays_whole_and_loses_its_strays() -> None:
    mask = disc(90, 90, 25, 40, 18) | disc(90, 90, 65, 40, 15) | rectangle(90, 90, 80, 80, 83, 83)
    derived = derive(sample_of([("liver", mask)], semantic=True), PARAMS)
    (anchor,) = derived.anchors
    assert anchor.box_xyxy_px == [7, 22, 80, 58]
    assert dict(derived.counts) == {"dropped.below_min_px": 1}


def test_strays_are_dropped_by_size_and_by_share_and_counted_by_reason() -> None:
    mask = disc(200, 200, 70, 70, 60) | rectangle(200, 200, 180, 180, 190, 190) | rectangle(200, 200, 150, 5, 153, 8)
    derived = derive(sample_of([("liver lesion", mask)], semantic=True), PARAMS)
    assert len(derived.anchors) == 1
    assert dict(derived.counts) == {"dropped.below_min_px": 1, "dropped.below_min_fraction": 1}


def test_instance_objects_stay_as_given_even_small_touching_or_in_pieces() -> None:
    pieces = rectangle(40, 40, 2, 2, 5, 5) | rectangle(40, 40, 20, 2, 25, 6)
    touching = rectangle(40, 40, 5, 2, 9, 5)
    derived = derive(sample_of([("cell nucleus", pieces), ("cell nucleus", touching)]), PARAMS)
    assert [a.area_px for a in derived.anchors] == [29, 12]
    assert [a.instance for a in derived.anchors] == [0, 1]
    assert derived.counts == {}


@pytest.mark.parametrize("spot", [(0, 0), (19, 29)])
def test_one_pixel_at_a_corner_is_an_anchor(spot: tuple[int, int]) -> None:
    mask = np.zeros((20, 30), bool)
    mask[spot] = True
    (anchor,) = derive(sample_of([("cell nucleus", mask)], spacing_mm=[2.0, 1.0]), PARAMS).anchors
    assert anchor.centroid_xy_px == [spot[1] + 0.5, spot[0] + 0.5]
    assert (anchor.area_px, anchor.area_mm2, anchor.length_mm) == (1, 2.0, pytest.approx(5**0.5, abs=1e-4))


def test_the_whole_image_is_an_anchor() -> None:
    (anchor,) = derive(sample_of([("liver", np.ones((20, 30), bool))], semantic=True), PARAMS).anchors
    assert anchor.box_xyxy_px == [0, 0, 30, 20]
    assert anchor.fraction_of_image == 1
    assert anchor.location.touches == ["left", "right", "top", "bottom"]
    assert anchor.location.cell == "centre"


def _no_nan(value: object, where: str) -> None:
    """Fails at the first float of a record that is not finite."""
    if isinstance(value, dict):
        for name, item in value.items():
            _no_nan(item, f"{where}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _no_nan(item, f"{where}[{number}]")
    elif isinstance(value, float):
        assert math.isfinite(value), where


LINE, COLUMN, DIAGONAL = rectangle(30, 40, 3, 9, 37, 10), rectangle(30, 40, 9, 3, 10, 27), np.eye(30, 40, dtype=bool)
PIXEL, WHOLE = rectangle(30, 40, 7, 8, 8, 9), np.ones((30, 40), bool)


@pytest.mark.parametrize("spacing_mm", [None, [0.5, 0.5], [0.3, 2.0]])
@pytest.mark.parametrize("image_left_is", [None, "patient_right"])
def test_odd_masks_have_defined_results_and_no_nan(spacing_mm, image_left_is, tmp_path) -> None:
    masks = [("cell nucleus", mask) for mask in (PIXEL, LINE, COLUMN, DIAGONAL, WHOLE, PIXEL)]
    masks += [("liver", WHOLE), ("liver lesion", PIXEL), ("liver lesion", LINE), ("left lung", WHOLE), ("lung opacity", DIAGONAL)]
    derived = derive(sample_of(masks, spacing_mm=spacing_mm, image_left_is=image_left_is), PARAMS)
    assert derived.errors == [] and len(derived.anchors) == len(masks)
    for record in [*derived.anchors, *derived.groups]:
        _no_nan(dataclasses.asdict(record), type(record).__name__)
    write_table(tmp_path, Anchor, derived.anchors)
    assert len(read_table(tmp_path, Anchor)) == len(masks)
    pixel, line = derived.anchors[0], derived.anchors[1]
    assert pixel.shape.elongation is None and line.shape.elongation is None and pixel.shape.circularity is None
    assert (pixel.length_mm is None) == (pixel.area_mm2 is None) == (spacing_mm is None)
    # The same pixel twice: neither lies in the other, both touch.
    twin = next(relation for relation in pixel.relations if relation.other == "toy/case/0#5" and relation.kind == "touching")
    assert (twin.gap_px, twin.overlap, twin.dx, twin.dy, twin.size_ratio) == (0, 1, 0, 0, 1)


def test_thousands_of_objects_are_derived_with_ranks_and_relations() -> None:
    side, square = 160, np.ones((2, 2), bool)
    places = [(row, column) for row in range(0, side, 4) for column in range(0, side, 4)]
    codes = [encode_crop(row, column, square, (side, side)) for row, column in places]
    base = sample_of([("cell nucleus", np.ones((side, side), bool))])
    objects = [dataclasses.replace(base.objects[0], instance=number, mask_rle=code) for number, code in enumerate(codes)]
    anchors = derive(dataclasses.replace(base, objects=objects), PARAMS).anchors
    assert len(anchors) == len(places) == 1600
    middle = anchors[820]
    assert middle.ranks.size == 1 and middle.ranks.size_tied == 1599
    assert [relation.gap_px for relation in middle.relations if relation.kind == "nearest"] == [2]
    assert sum(relation.kind == "touching" for relation in middle.relations) == 8


def test_what_goes_wrong_inside_names_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.anchor.derive.relations_of", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError) as failed:
        derive(sample_of([("liver", PIXEL)]), PARAMS)
    assert failed.value.__notes__ == ["while anchors were derived from sample 'toy/case/0'"]


def test_millimetres_are_absent_without_spacing() -> None:
    (anchor,) = derive(sample_of([("liver", disc(40, 40, 20, 20, 8))]), PARAMS).anchors
    assert anchor.area_mm2 is None and anchor.length_mm is None


def test_spacing_changes_millimetres_and_nothing_else() -> None:
    mask = ellipse(60, 60, 30, 30, 20, 8, 0)
    fine, coarse = (derive(sample_of([("liver", mask)], spacing_mm=s), PARAMS).anchors[0] for s in ([0.5, 0.5], [1.0, 2.0]))
    assert coarse.area_mm2 == pytest.approx(8 * fine.area_mm2)
    assert coarse.length_mm == pytest.approx(80, rel=0.03)
    lengths = {name: value for name, value in dataclasses.asdict(fine.shape).items() if name.endswith("_mm")}
    shape = dataclasses.replace(coarse.shape, **lengths)
    assert dataclasses.replace(coarse, area_mm2=fine.area_mm2, length_mm=fine.length_mm, shape=shape) == fine


def _spoilt(**changes):
    sample = sample_of([("liver", disc(40, 40, 20, 20, 8)), ("spleen", disc(40, 40, 30, 30, 5))])
    first = dataclasses.replace(sample.objects[0], **changes)
    return dataclasses.replace(sample, objects=[first, sample.objects[1]])


@pytest.mark.parametrize(
    ("changes", "kind", "cause"),
    [
        ({"mask_rle": encode_mask(np.zeros((40, 40), bool))}, "empty_mask", "object 'liver' number 0: its mask has no foreground"),
        ({"mask_rle": encode_mask(np.ones((40, 30), bool))}, "mask_size", "its mask is 30 x 40, the image 40 x 40"),
        ({"mask_rle": Rle([40, 40], "abc")}, "mask_code", "object 'liver' number 0: its mask cannot be read"),
        ({"mask_rle": Rle([40, 40], "")}, "mask_code", "run-length code is empty"),
        ({"label": "livre"}, "unknown_label", "unknown label 'livre'; nearest: liver"),
    ],
)
def test_an_unusable_object_is_an_error_value_and_the_others_go_on(changes: dict, kind: str, cause: str) -> None:
    derived = derive(_spoilt(**changes), PARAMS)
    (error,) = derived.errors
    assert (error.item_id, error.stage, error.kind) == ("toy/case/0", "anchor", kind)
    assert cause in error.cause
    assert [a.label for a in derived.anchors] == ["spleen"]


@pytest.mark.parametrize("image", [b"", b"\x89PNG not a picture", cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes()])
def test_a_picture_that_is_broken_or_of_another_size_is_an_error_value(image: bytes) -> None:
    sample = dataclasses.replace(sample_of([("liver", disc(40, 40, 20, 20, 8))]), image=image)
    derived = derive(sample, PARAMS)
    assert derived.anchors == []
    assert [error.kind for error in derived.errors] == ["bad_image"]
    assert "40 x 40" in derived.errors[0].cause


def test_a_sample_without_objects_has_no_anchors_and_no_error() -> None:
    sample = dataclasses.replace(sample_of([("liver", disc(40, 40, 20, 20, 8))]), objects=[])
    derived = derive(sample, PARAMS)
    assert (derived.anchors, derived.groups, derived.errors, derived.counts) == ([], [], [], {})


def test_a_mirrored_picture_swaps_the_sides_and_keeps_the_shapes() -> None:
    masks = [("liver lesion", ellipse(100, 120, 25, 30, 15, 7, 30)), ("liver lesion", disc(100, 120, 90, 70, 9))]
    image = np.random.default_rng(0).integers(0, 255, (100, 120)).astype(np.uint8)
    plain = derive(sample_of(masks, image, [0.7, 0.7], "patient_right"), PARAMS).anchors
    mirrored_masks = [(label, np.ascontiguousarray(mask[:, ::-1])) for label, mask in masks]
    mirrored = derive(sample_of(mirrored_masks, image[:, ::-1].copy(), [0.7, 0.7], "patient_right"), PARAMS).anchors
    swap = {"left": "right", "right": "left"}
    for before, after in zip(plain, mirrored, strict=True):
        assert after.location.image_side == swap[before.location.image_side]
        assert after.location.patient_side == swap[before.location.patient_side]
        assert (after.area_px, after.area_mm2, after.length_mm) == (before.area_px, before.area_mm2, before.length_mm)
        assert after.appearance == before.appearance
        assert after.ranks.x == 3 - before.ranks.x
        assert (after.ranks.size, after.ranks.y) == (before.ranks.size, before.ranks.y)
        assert after.box_xyxy_px == [120 - before.box_xyxy_px[2], before.box_xyxy_px[1], 120 - before.box_xyxy_px[0], before.box_xyxy_px[3]]
        assert after.location.crosses_midline == before.location.crosses_midline
        for there, back in zip(before.relations, after.relations, strict=True):
            assert back == dataclasses.replace(there, dx=-there.dx)


def test_a_quarter_turn_swaps_the_axes_of_place_and_keeps_the_shapes() -> None:
    masks = [("liver lesion", ellipse(100, 100, 25, 30, 15, 7, 30)), ("liver lesion", disc(100, 100, 90, 70, 9))]
    plain = derive(sample_of(masks), PARAMS).anchors
    turned = derive(sample_of([(label, np.ascontiguousarray(np.rot90(mask, -1))) for label, mask in masks]), PARAMS).anchors
    for before, after in zip(plain, turned, strict=True):
        assert after.centroid_xy_px == pytest.approx([100 - before.centroid_xy_px[1], before.centroid_xy_px[0]])
        assert after.shape.elongation == pytest.approx(before.shape.elongation)
        assert after.shape.solidity == before.shape.solidity
        assert after.ranks.y == before.ranks.x
        for there, back in zip(before.relations, after.relations, strict=True):
            assert back == dataclasses.replace(there, dx=-there.dy, dy=there.dx)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(5, 55), st.integers(5, 35), st.integers(1, 9)), min_size=1, max_size=5), st.booleans())
def test_anchors_of_any_scene_survive_the_table_with_tight_boxes_and_their_own_masks(tmp_path_factory, discs, semantic) -> None:
    masks = [("liver lesion", disc(40, 60, x, y, r)) for x, y, r in discs]
    anchors = derive(sample_of(masks, spacing_mm=[0.8, 1.1], image_left_is="patient_right", semantic=semantic), PARAMS).anchors
    folder = tmp_path_factory.mktemp("anchors")
    write_table(folder, Anchor, anchors)
    assert sorted(anchors, key=lambda a: a.anchor_id) == read_table(folder, Anchor)
    for anchor in anchors:
        mask = decode_mask(anchor.mask_rle)
        assert tight_box(mask) == anchor.box_xyxy_px
        assert mask.sum() == anchor.area_px
        rows, columns = np.nonzero(mask)
        assert anchor.centroid_xy_px == pytest.approx([columns.mean() + 0.5, rows.mean() + 0.5], abs=1e-3)
