"""Grey levels inside and around an object."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

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
    assert (look.median, look.mad, look.ring_median, look.ring_mad, look.robust_contrast) == (100, 0, 60, 0, 40)
    assert look.robust_contrast_to_noise is None
    assert look.texture == 0


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
    assert (look.ring_median, look.ring_mad, look.robust_contrast, look.robust_contrast_to_noise) == (None,) * 4
    assert look.mean == 7


def test_one_pixel_has_a_grey_level_and_no_texture() -> None:
    (look,) = _look([("liver lesion", rectangle(20, 20, 5, 5, 6, 6))], np.full((20, 20), 7, np.uint8))
    assert (look.mean, look.std, look.texture) == (7, 0, None)


def test_robust_contrast_ignores_a_few_bright_spots_in_the_ring() -> None:
    mask = rectangle(60, 60, 20, 20, 40, 40)
    image = np.full((60, 60), 50, np.uint8)
    image[::2] = 54
    image[mask] = 100
    image[16:18, 20:40] = 255
    (look,) = _look([("liver lesion", mask)], image)
    assert look.contrast < 45
    assert (look.ring_median, look.robust_contrast) == (pytest.approx(52, abs=2), pytest.approx(48, abs=2))
    assert look.robust_contrast_to_noise == pytest.approx(look.robust_contrast / (1.4826 * look.ring_mad), abs=1e-3)


def test_a_checkerboard_has_the_texture_of_its_step_and_stripes_half_of_it() -> None:
    mask = rectangle(40, 40, 10, 10, 30, 30)
    rows, columns = np.mgrid[:40, :40]
    board, stripes = (100 + 30 * (pattern % 2) for pattern in (rows + columns, rows))
    looks = [_look([("liver lesion", mask)], image.astype(np.uint8))[0] for image in (board, stripes)]
    assert [look.texture for look in looks] == [30, 15]


def _patches(size: int, spread: float) -> np.ndarray:
    """Squares of ``size`` pixels with normal grey levels of that spread, the finest ones noise."""
    levels = np.random.default_rng(3).normal(110, spread, (1 + 96 // size, 1 + 96 // size))
    return np.clip(np.kron(levels, np.ones((size, size)))[:96, :96], 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("image", "modality", "word"),
    [
        (_patches(8, 0), "ultrasound", "homogeneous"),
        (_patches(1, 2), "ultrasound", "homogeneous"),
        (_patches(8, 50), "ultrasound", "heterogeneous"),
        (_patches(8, 15), "ultrasound", None),  # between the limits
        (_patches(1, 30), "ultrasound", None),  # noise
        (_patches(8, 50), "CT", None),  # no limit for heterogeneous
        (_patches(8, 0), "fundus", None),  # no limits at all
    ],
)
def test_even_and_uneven_objects_have_a_word_where_the_modality_has_limits(image: np.ndarray, modality: str, word: str | None) -> None:
    sample = dataclasses.replace(sample_of([("nerve", disc(96, 96, 48, 48, 40))], image=image), modality=modality)
    assert [anchor.appearance.texture_word for anchor in derive(sample, PARAMS).anchors] == [word]


def test_a_blurred_border_makes_an_even_object_no_less_even_and_a_small_one_has_no_word() -> None:
    whole, small = disc(96, 96, 48, 48, 40), disc(96, 96, 20, 20, 9)
    image = np.where(whole & ~disc(96, 96, 48, 48, 38), 80, 60).astype(np.uint8)
    sample = dataclasses.replace(sample_of([("nerve", whole), ("nerve", small)], image=image), modality="X-ray")
    assert [anchor.appearance.texture_word for anchor in derive(sample, PARAMS).anchors] == ["homogeneous", None]


def test_a_wide_ring_around_an_object_in_pieces_is_the_union_of_the_rings() -> None:
    mask = disc(80, 80, 25, 40, 6) | disc(80, 80, 55, 40, 6)
    image = np.random.default_rng(0).integers(0, 255, (80, 80)).astype(np.uint8)
    ring = (distance_transform_edt(~mask) <= PARAMS.ring_px) & ~mask
    (look,) = _look([("liver lesion", mask)], image)
    assert look.ring_mean == pytest.approx(image[ring].mean(), abs=1e-4)


def test_colour_pictures_are_measured_as_luma() -> None:
    mask = disc(40, 40, 20, 20, 8)
    image = np.zeros((40, 40, 3), np.uint8)
    image[mask] = [200, 100, 50]
    (look,) = _look([("cell nucleus", mask)], image)
    assert look.mean == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50, abs=1)
    assert math.isfinite(look.contrast)


@settings(max_examples=80, deadline=None)
@given(
    st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
        lambda sides: st.tuples(arrays(bool, sides).filter(lambda mask: mask.any()), arrays(np.uint8, sides, elements=st.sampled_from([0, 7, 255])))
    )
)
def test_any_object_on_any_picture_has_finite_values_or_none(scene: tuple[np.ndarray, np.ndarray]) -> None:
    mask, image = scene
    (look,) = _look([("liver lesion", mask)], image)
    values = [getattr(look, name) for name in look.__dataclass_fields__]
    assert all(value is None or (type(value) is float and math.isfinite(value)) for value in values)
    assert 0 <= look.mean <= 255 and 0 <= look.median <= 255 and look.std >= 0 and look.mad >= 0
    assert (look.ring_mean is None) == bool(mask.all())
    assert (look.contrast_to_noise is None) == (not look.ring_std)
    assert (look.robust_contrast_to_noise is None) == (not look.ring_mad)
