"""The image judge tells an object from a place where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.verify.norms import HIGHEST_LIMIT, class_limits, limit_of
from stages.verify.visibility import visibility
from tests.verify.scenes import PARAMS, anchors, sample

ROWS, COLUMNS = np.mgrid[:128, :128]


def _disc(x: float, y: float, radius: float) -> np.ndarray:
    return (COLUMNS + 0.5 - x) ** 2 + (ROWS + 0.5 - y) ** 2 <= radius**2


def _picture(mask: np.ndarray, step: float, noise: float = 6.0, seed: int = 0) -> np.ndarray:
    grey = 100 + step * mask + np.random.default_rng(seed).normal(0, noise, mask.shape)
    return np.clip(grey, 0, 255).astype(np.float32)


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
    noisy = (picture + np.random.default_rng(0).normal(0, 5, picture.shape)).astype(np.float32)
    assert visibility(noisy, mask, mask).score > 0.5


def test_an_object_that_fills_the_picture_has_no_contrast() -> None:
    mask = np.ones((40, 40), bool)
    seen = visibility(np.full((40, 40), 90, np.float32), mask, mask)
    assert seen.contrast_grey is None
    assert seen.ring_difference == 0


def test_the_limit_of_a_plain_class_is_high_and_of_a_faint_class_low() -> None:
    assert limit_of([0.999, 0.9985, 0.9992, 0.998, 0.9995]) == HIGHEST_LIMIT
    assert limit_of([0.2, 0.6, 0.4, 0.8, 0.3, 0.5]) < 0.15


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=8, max_size=30), st.randoms())
def test_the_limit_of_a_class_does_not_depend_on_the_order_and_spares_the_middle(scores: list[float], random) -> None:
    shuffled = random.sample(scores, len(scores))
    assert limit_of(shuffled) == limit_of(scores)
    assert limit_of(scores) <= max(np.median(scores), 1e-4) + 1e-4


def test_a_rare_label_has_no_limit_of_its_own() -> None:
    limits = class_limits([(sample(), anchors())] * 3, PARAMS, 7, 1)
    assert set(limits) == {"liver lesion"}
    assert class_limits([(sample(), anchors())], PARAMS, 7, 1) == {}
