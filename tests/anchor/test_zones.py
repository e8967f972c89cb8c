"""Zones in the containing organ: thirds of it, its medial and lateral half, how deep in it; nothing where in doubt."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stages.anchor.derive import derive
from stages.core.records import Zone
from tests.anchor.scenes import PARAMS, disc, rectangle, sample_of

# Two lungs of 60 x 120 pixels, of which the image's left one begins at (20, 30).
LEFT_OF_IMAGE, RIGHT_OF_IMAGE = rectangle(200, 200, 20, 30, 80, 150), rectangle(200, 200, 120, 30, 180, 150)


def _zone(x: float, y: float, radius: float = 4, plane: str | None = "coronal", image_left_is: str | None = "patient_right") -> Zone | None:
    masks = [("right lung", LEFT_OF_IMAGE), ("left lung", RIGHT_OF_IMAGE), ("lung opacity", disc(200, 200, x, y, radius))]
    if image_left_is == "patient_left":
        masks[0], masks[1] = ("left lung", LEFT_OF_IMAGE), ("right lung", RIGHT_OF_IMAGE)
    sample = dataclasses.replace(sample_of(masks, image_left_is=image_left_is), plane=plane)
    return derive(sample, PARAMS).anchors[2].location.zone


@pytest.mark.parametrize(("y", "third"), [(40, "upper"), (60, "upper"), (70, None), (90, "middle"), (100, "middle"), (110, None), (140, "lower")])
def test_thirds_are_those_of_the_lung_and_not_of_the_image(y: float, third: str | None) -> None:
    zone = _zone(50, y)
    assert zone is not None and zone.vertical == third
    assert zone.vertical_share == pytest.approx((y - 30) / 120, abs=1e-3)


@pytest.mark.parametrize(("x", "word"), [(28, "lateral"), (40, "lateral"), (50, None), (60, "medial"), (72, "medial")])
def test_medial_is_towards_the_patients_midline_in_both_lungs(x: float, word: str | None) -> None:
    zone, mirrored = _zone(x, 90), _zone(200 - x, 90)
    assert zone is not None and mirrored is not None
    assert zone.horizontal == mirrored.horizontal == word
    assert zone.horizontal_share == pytest.approx(mirrored.horizontal_share)


def test_medial_stays_medial_when_the_picture_shows_the_patient_the_other_way_round() -> None:
    zone = _zone(72, 90, image_left_is="patient_left")
    assert zone is not None and (zone.organ, zone.horizontal) == ("toy/case/0#0", "medial")


def test_without_sides_nothing_is_medial() -> None:
    zone = _zone(72, 90, image_left_is=None)
    assert zone is not None and zone.horizontal is None and zone.horizontal_share is None


def test_an_axial_slice_has_no_upper_third() -> None:
    zone = _zone(50, 40, plane="axial")
    assert zone is not None and zone.vertical is None and zone.vertical_share is None


@pytest.mark.parametrize(("x", "depth"), [(25, "peripheral"), (35, "peripheral"), (50, None), (65, "central"), (76, "central")])
def test_in_a_lung_the_hilum_is_central_and_the_chest_wall_peripheral(x: float, depth: str | None) -> None:
    zone, mirrored, turned = _zone(x, 90), _zone(200 - x, 90), _zone(x, 90, image_left_is="patient_left")
    assert zone is not None and mirrored is not None and turned is not None
    assert zone.depth == mirrored.depth == turned.depth == depth
    # The deepest pixels are those at the medial edge and half way down, 60 from the chest wall and 60 from apex and base.
    assert zone.depth_share == pytest.approx((x - 20) / 60, abs=0.02) == mirrored.depth_share


@pytest.mark.parametrize("y", [34, 146])
def test_apex_and_base_of_a_lung_are_peripheral_at_the_midline_too(y: float) -> None:
    zone = _zone(74, y)
    assert zone is not None and zone.depth == "peripheral"


@pytest.mark.parametrize(("x", "depth"), [(25, "peripheral"), (30, "peripheral"), (36, None), (45, "central"), (50, "central"), (74, "peripheral")])
def test_without_sides_any_border_of_the_organ_counts(x: float, depth: str | None) -> None:
    zone = _zone(x, 90, image_left_is=None)
    assert zone is not None and zone.depth == depth
    assert zone.depth_share == pytest.approx(min(x - 20, 80 - x) / 30, abs=0.04)


def test_a_bay_for_the_heart_makes_what_lies_beside_it_no_less_central() -> None:
    lung = rectangle(200, 200, 20, 30, 80, 150)
    opacity = disc(200, 200, 62, 90, 3)
    shares = []
    for organ in (lung, lung & ~disc(200, 200, 80, 90, 14)):
        sample = sample_of([("right lung", organ), ("lung opacity", opacity)], image_left_is="patient_right")
        shares.append(derive(sample, PARAMS).anchors[1].location.zone)
    assert shares[0] is not None and shares[1] is not None
    assert shares[0].depth == shares[1].depth == "central"


def test_a_lesion_outside_the_organ_or_without_one_has_no_zone() -> None:
    assert _zone(100, 90) is None
    (alone,) = derive(sample_of([("lung opacity", disc(99, 99, 50, 50, 9))]), PARAMS).anchors
    assert alone.location.zone is None


@pytest.mark.parametrize(("bottom", "placed"), [(89, True), (92, False), (150, False)])
def test_what_fills_most_of_its_organ_lies_in_no_part_of_it(bottom: int, placed: bool) -> None:
    masks = [("right lung", LEFT_OF_IMAGE), ("lung opacity", rectangle(200, 200, 20, 30, 80, bottom) & ~rectangle(200, 200, 20, 30, 21, 31))]
    zone = derive(sample_of(masks, image_left_is="patient_right"), PARAMS).anchors[1].location.zone
    assert (zone is not None) == placed


def test_where_the_image_cuts_the_organ_off_there_is_no_border() -> None:
    liver = rectangle(100, 100, 0, 0, 60, 100)
    anchors = derive(sample_of([("liver", liver), ("liver lesion", disc(100, 100, 5, 50, 3))]), PARAMS).anchors
    assert anchors[1].location.zone is not None and anchors[1].location.zone.depth == "central"
    whole = derive(sample_of([("liver", np.ones((50, 50), bool)), ("liver lesion", disc(50, 50, 5, 25, 3))]), PARAMS).anchors[1]
    assert whole.location.zone is not None and whole.location.zone.depth_share == 1


def test_an_organ_with_two_edges_is_measured_on_the_lesions_own_rows() -> None:
    # An apex: narrow above, wide below.
    rows, columns = np.mgrid[:200, :200]
    lung = (columns < 80) & (columns > 80 - (rows - 20) // 2) & (rows >= 24) & (rows < 150)
    masks = [("right lung", lung), ("lung opacity", disc(200, 200, 77, 34, 2)), ("lung opacity", disc(200, 200, 74, 140, 2))]
    high, low = (a.location.zone for a in derive(sample_of(masks, image_left_is="patient_right"), PARAMS).anchors[1:])
    assert high is not None and low is not None
    assert low.horizontal == "medial" and low.horizontal_share < 0.15 < high.horizontal_share
