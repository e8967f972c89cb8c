"""Grey levels inside and around an object."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stages.anchor.derive import derive
from tests.anchor.scenes import PARAMS, disc, rectangle, sample_of


def _look(masks, image):
    return [anchor.appearance for anchor in derive(sample_of(masks, image=image), PARAMS).anchors]


def test_a_bright_disc_on_grey_has_its_own_contrast() -> None:
    mask = disc(80, 80, 40, 40, 12)
    image = np.full((80, 80), 60, np.uint8)
    image[mask] = 100
    (look,) = _look([("liver lesion", mask)], image)
    assert (look.mean, look.std, look.ring_mean, look.ring_std, look.contrast) == (100, 0, 60, 0, 40)
    assert look.contrast_to_noise is None


def test_contrast_to_noise_divides_by_the_spread_of_the_ring() -> None:
    mask = rectangle(60, 60, 20, 20, 40, 40)
    image = np.full((60, 60), 50, np.uint8)
    image[::2] = 70
    image[mask] = 100
    (look,) = _look([("liver lesion", mask)], image)
    assert look.ring_mean == pytest.approx(60, abs=0.5)
    assert look.contrast_to_noise == pytest.approx(look.contrast / look.ring_std, abs=1e-3)


def test_the_ring_is_as_wide_as_the_parameter_says() -> None:
    mask = rectangle(60, 60, 25, 25, 35, 35)
    image = np.full((60, 60), 10, np.uint8)
    rows, columns = np.mgrid[:60, :60]
    near = (columns >= 19) & (columns < 41) & (rows >= 19) & (rows < 41)
    image[near] = 200
    image[mask] = 0
    (look,) = _look([("liver lesion", mask)], image)
    assert (look.ring_mean, look.ring_std) == (200, 0)


def test_a_neighbour_of_the_same_label_is_left_out_of_the_ring_and_one_of_another_label_is_not() -> None:
    first, second = rectangle(60, 60, 10, 10, 20, 20), rectangle(60, 60, 22, 10, 32, 20)
    image = np.full((60, 60), 50, np.uint8)
    image[second] = 250
    same = _look([("liver lesion", first), ("liver lesion", second)], image)[0]
    other = _look([("liver lesion", first), ("spleen", second)], image)[0]
    assert same.ring_mean == 50
    assert other.ring_mean > 60


def test_an_object_that_fills_the_image_has_no_ring() -> None:
    (look,) = _look([("liver lesion", np.ones((20, 20), bool))], np.full((20, 20), 7, np.uint8))
    assert (look.ring_mean, look.ring_std, look.contrast, look.contrast_to_noise) == (None,) * 4
    assert look.mean == 7


def test_colour_pictures_are_measured_as_luma() -> None:
    mask = disc(40, 40, 20, 20, 8)
    image = np.zeros((40, 40, 3), np.uint8)
    image[mask] = [200, 100, 50]
    (look,) = _look([("cell nucleus", mask)], image)
    assert look.mean == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50, abs=1)
    assert math.isfinite(look.contrast)
