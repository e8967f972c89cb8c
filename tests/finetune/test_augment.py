"""Where a picture is moved, its boxes and words move along."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.params import AugmentParams
from stages.finetune.augment import STAY, Placement, draw_placement, move, recolour

MILD = AugmentParams(0.1, 0.2, 0.05, 0.5, 0.05, 0.05, 0.5)


def bright_square(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    pixels = np.full((3, 64, 64), -1, np.float32)
    pixels[:, y0:y1, x0:x1] = 1
    return pixels


@given(st.integers(0, 1000))
def test_the_box_follows_the_picture(seed: int) -> None:
    placement = draw_placement(MILD, np.random.default_rng(seed))
    moved = move(bright_square(20, 24, 36, 44), placement)
    box = placement.box([20, 24, 36, 44], 64, 64)
    assert box is not None
    rows, columns = np.nonzero(moved[0] > 0)
    seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(np.subtract(seen, box)).max() <= 1.01


def test_a_mirrored_picture_has_its_sides_exchanged_in_the_words() -> None:
    mirrored = Placement(1.0, 0.0, 0.0, True)
    assert mirrored.text("Left kidney, right of the leftmost cyst") == "Right kidney, left of the rightmost cyst"
    assert mirrored.box([0, 0, 10, 10], 40, 20) == [30, 0, 40, 10]
    assert STAY.text("the left kidney") == "the left kidney"


def test_a_text_without_a_sure_mirror_image_is_refused_in_a_mirrored_picture() -> None:
    with pytest.raises(ValueError, match="left ventricle"):
        Placement(1.0, 0.0, 0.0, True).text("the left ventricle")


@given(st.integers(0, 1000))
def test_a_picture_that_may_not_be_mirrored_never_is(seed: int) -> None:
    free, bound = (draw_placement(MILD, np.random.default_rng(seed), mirrorable) for mirrorable in (True, False))
    assert not bound.mirrored
    assert (free.scale, free.shift_x, free.shift_y) == (bound.scale, bound.shift_x, bound.shift_y)


def test_a_box_that_is_cut_off_is_no_box() -> None:
    assert Placement(1.0, 0.2, 0.0, False).box([50, 10, 60, 20], 64, 64) is None


def test_recolouring_is_seeded_and_stays_in_range() -> None:
    pixels = bright_square(5, 5, 30, 30)
    first, second = (recolour(pixels, MILD, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.min() >= -1 and first.max() <= 1 and not np.array_equal(first, pixels)
