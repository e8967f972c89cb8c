"""The image judge tells an object from a place where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.verify.contours import contour_of, scales
from stages.verify.norms import N_TRAITS
from stages.verify.picture import Picture, picture_of
from stages.verify.visibility import visibility

ROWS, COLUMNS = np.mgrid[:128, :128]


def _disc(x: float, y: float, radius: float) -> np.ndarray:
    return (COLUMNS + 0.5 - x) ** 2 + (ROWS + 0.5 - y) ** 2 <= radius**2


def _picture(mask: np.ndarray, step: float, noise: float = 6.0, seed: int = 0) -> Picture:
    grey = 100 + step * mask + np.random.default_rng(seed).normal(0, noise, mask.shape)
    return picture_of(np.clip(grey, 0, 255).astype(np.uint8))


@settings(max_examples=25, deadline=None)
@given(st.floats(40, 88), st.floats(40, 88), st.floats(5, 25), st.sampled_from([-60, -30, 30, 60]), st.integers(0, 99))
def test_a_plain_object_is_visible(x: float, y: float, radius: float, step: int, seed: int) -> None:
    mask = _disc(x, y, radius)
    seen = visibility(_picture(mask, step, seed=seed), mask, mask)
    assert seen.score > 0.5
    assert np.sign(seen.contrast_grey) == np.sign(step)


def test_bare_noise_is_seldom_an_object() -> None:
    mask = _disc(64, 64, 14)
    scores = [visibility(_picture(mask, 0, seed=seed), mask, mask).score for seed in range(40)]
    assert np.mean(np.array(scores) < 0.15) >= 0.9


@pytest.mark.parametrize("direction", range(8))
def test_a_mask_beside_its_object_is_less_visible_than_on_it(direction: int) -> None:
    mask, angle = _disc(64, 64, 10), 2 * np.pi * direction / 8
    beside = _disc(64 + 30 * np.cos(angle), 64 + 30 * np.sin(angle), 10)
    picture = _picture(mask, 40)
    assert visibility(picture, beside, beside).score < 0.15 < 0.9 < visibility(picture, mask, mask).score


def test_an_object_between_a_brighter_and_a_darker_neighbour_has_an_edge() -> None:
    mask = _disc(64, 64, 14)
    picture = np.where(COLUMNS < 64, 60.0, 180.0)
    picture[mask] = 120
    noisy = (picture + np.random.default_rng(0).normal(0, 5, picture.shape)).astype(np.uint8)
    assert visibility(picture_of(noisy), mask, mask).score > 0.5


def test_an_object_that_fills_the_picture_has_no_contrast() -> None:
    mask = np.ones((40, 40), bool)
    seen = visibility(picture_of(np.full((40, 40), 90, np.uint8)), mask, mask, with_traits=True)
    assert seen.contrast_grey is None
    assert seen.ring_difference == 0
    assert seen.traits is None


def test_a_large_object_is_measured_as_well_as_a_small_one() -> None:
    rows, columns = np.mgrid[:512, :512]
    mask = (columns - 250) ** 2 + (rows - 260) ** 2 <= 110**2
    assert visibility(_picture(mask, 30), mask, mask).score > 0.9
    beside = np.roll(mask, 120, axis=1)
    assert visibility(_picture(mask, 30), beside, beside).score < 0.3


@settings(max_examples=20, deadline=None)
@given(st.floats(30, 98), st.floats(30, 98), st.floats(3, 28), st.integers(0, 99))
def test_traits_are_finite_and_always_as_many(x: float, y: float, radius: float, seed: int) -> None:
    mask = _disc(x, y, radius)
    seen = visibility(_picture(mask, 20, seed=seed), mask, mask, with_traits=True)
    assert seen.traits is not None
    assert seen.traits.shape == (N_TRAITS,)
    assert np.isfinite(seen.traits).all()


def test_a_contour_of_half_the_length_steps_more_where_it_is_drawn_twice_as_long() -> None:
    picture = _picture(_disc(64, 64, 24), 50, noise=2.0).grey
    true, small, large = (scales(picture, contour_of(_disc(64, 64, radius))) for radius in (24, 12, 48))
    assert true[:6].max() < -0.5
    assert int(np.argmax(small[:6])) == 5 and small[5] > 1
    assert int(np.argmax(large[:6])) == 0 and large[0] > 1


def test_a_difference_of_less_than_a_grey_level_is_none() -> None:
    mask = _disc(64, 64, 14)
    seen = visibility(_picture(mask, 0, noise=0.4), mask, mask)
    assert seen.ring_difference < 0.1
