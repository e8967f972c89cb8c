"""The picture for people: readable from no object to many, sides at the edges, a table that says what it leaves out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stages.anchor.derive import derive
from stages.anchor.overlay import overlay
from stages.core.records import Sample
from tests.anchor.scenes import PARAMS, disc, sample_of


def _field(n: int) -> Sample:
    masks = [("cell nucleus", disc(256, 256, 8 + 15 * (k % 16), 8 + 15 * (k // 16), 5)) for k in range(n)]
    return sample_of(masks)


@pytest.mark.parametrize(("n", "least_side"), [(1, 512), (12, 512), (40, 512), (41, 1000), (250, 1000)])
def test_the_picture_grows_with_the_number_of_objects_and_the_table_does_not(n: int, least_side: int) -> None:
    sample = _field(n)
    picture = overlay(sample, derive(sample, PARAMS))
    side = 256 * -(-least_side // 256)
    assert picture.dtype == np.uint8 and picture.shape[1] >= side
    rows = (picture.shape[0] - side) / 18
    assert min(n, 40) + 2 <= rows <= 46


def test_outlines_and_boxes_of_all_objects_are_drawn() -> None:
    sample = _field(60)
    derived, scale = derive(sample, PARAMS), 4
    full = overlay(sample, derived)
    for anchor in derived.anchors:
        x0, y0 = (int(value) * scale for value in anchor.box_xyxy_px[:2])
        edge = full[y0 : y0 + 2, x0 + 20 : x0 + 30].astype(int)
        assert np.ptp(edge, axis=2).max() > 60  # coloured on a grey picture


def test_unknown_sides_are_said_and_known_ones_stand_at_the_edges() -> None:
    sample = sample_of([("liver", disc(256, 256, 128, 128, 20))], image=np.zeros((256, 256), np.uint8))
    known = dataclasses.replace(sample, image_left_is="patient_right")
    pictures = [overlay(s, derive(s, PARAMS)) for s in (sample, known)]
    marks = [(picture[235:262, :24].max(), picture[235:262, 488:512].max()) for picture in pictures]
    assert marks == [(0, 0), (255, 255)]
    assert pictures[0][495:512, :110].max() == 255


def test_a_sample_that_cannot_be_read_gives_a_picture_that_says_so() -> None:
    sample = dataclasses.replace(_field(1), image=b"broken")
    derived = derive(sample, PARAMS)
    assert [error.kind for error in derived.errors] == ["bad_image"]
    assert overlay(sample, derived).shape[0] > 512
