"""Shape against known answers, against scikit-image, and under moves of the mask."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import perimeter_crofton, regionprops

from stages.anchor.shape import centroid_xy, feret_mm, hull_corners, perimeter_px, shape_of, solidity
from tests.anchor.scenes import disc, ellipse, rectangle

MASKS = arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))).filter(lambda mask: mask.any())


@pytest.mark.parametrize("radius", [5, 12, 50])
def test_a_disc_is_round(radius: int) -> None:
    shape = shape_of(disc(128, 128, 60.0, 61.0, radius))
    assert shape.equivalent_diameter_px == pytest.approx(2 * radius, rel=0.02)
    assert shape.major_axis_px == pytest.approx(2 * radius, rel=0.02)
    assert shape.elongation == pytest.approx(1, abs=0.01)
    assert shape.eccentricity < 0.15
    assert shape.orientation_deg is None
    assert shape.solidity > 0.9
    assert shape.circularity > 0.93


def test_the_crofton_perimeter_of_a_large_disc_is_right_within_half_a_percent() -> None:
    assert perimeter_px(disc(128, 128, 64, 64, 50)) == pytest.approx(2 * math.pi * 50, rel=0.005)


@pytest.mark.parametrize("angle", [0, 20, 45, 70, 90, 110, 135, 160, 175])
def test_a_turned_ellipse_has_its_axes_and_its_angle_counter_clockwise_on_the_screen(angle: int) -> None:
    shape = shape_of(ellipse(160, 160, 80, 80, 50, 20, angle))
    assert shape.major_axis_px == pytest.approx(100, rel=0.01)
    assert shape.minor_axis_px == pytest.approx(40, rel=0.01)
    assert shape.elongation == pytest.approx(2.5, rel=0.02)
    assert shape.eccentricity == pytest.approx(math.sqrt(1 - 0.4**2), rel=0.01)
    assert abs((shape.orientation_deg - angle + 90) % 180 - 90) < 0.5


def test_a_stroke_from_lower_left_to_upper_right_has_an_acute_angle() -> None:
    rising = np.eye(30, dtype=bool)[::-1] | np.eye(30, k=1, dtype=bool)[::-1]
    assert 40 < shape_of(rising).orientation_deg < 50
    assert 130 < shape_of(rising[::-1]).orientation_deg < 140


@pytest.mark.parametrize(("width", "height"), [(40, 10), (10, 40), (25, 24), (6, 5)])
def test_a_rectangle_is_solid_with_exact_axes(width: int, height: int) -> None:
    shape = shape_of(rectangle(60, 60, 3, 4, 3 + width, 4 + height))
    long, short = max(width, height), min(width, height)
    assert shape.solidity == 1.0
    assert shape.major_axis_px == pytest.approx(4 * long / math.sqrt(12), abs=1e-3)
    assert shape.elongation == pytest.approx(long / short, abs=1e-3)
    if long / short > 1.2:
        assert shape.orientation_deg == pytest.approx(0 if width > height else 90, abs=1e-3)


def test_a_ring_is_neither_solid_nor_circular() -> None:
    ring = disc(80, 80, 40, 40, 30) & ~disc(80, 80, 40, 40, 20)
    shape = shape_of(ring)
    assert shape.solidity == pytest.approx(1 - (20 / 30) ** 2, abs=0.02)
    assert shape.circularity == pytest.approx((30**2 - 20**2) / (30 + 20) ** 2, rel=0.02)
    assert shape.elongation == pytest.approx(1, abs=0.01)


def test_one_pixel_has_a_size_and_no_shape() -> None:
    shape = shape_of(np.ones((1, 1), bool))
    assert shape.equivalent_diameter_px == pytest.approx(math.sqrt(4 / math.pi), abs=1e-4)
    assert shape.major_axis_px == shape.minor_axis_px == pytest.approx(4 / math.sqrt(12), abs=1e-4)
    assert (shape.orientation_deg, shape.elongation, shape.eccentricity, shape.solidity, shape.circularity) == (None,) * 5


@pytest.mark.parametrize("line", [np.ones((1, 40), bool), np.ones((40, 1), bool)], ids=["row", "column"])
def test_a_line_of_one_pixel_has_a_direction_and_no_elongation(line: np.ndarray) -> None:
    shape = shape_of(line)
    assert shape.elongation is None
    assert shape.orientation_deg == pytest.approx(0 if line.shape[0] == 1 else 90)
    assert shape.solidity == 1.0


@settings(max_examples=100, deadline=None)
@given(MASKS)
def test_any_mask_has_finite_values_within_bounds(mask: np.ndarray) -> None:
    shape = shape_of(mask)
    values = [getattr(shape, name) for name in shape.__dataclass_fields__]
    assert all(value is None or (type(value) is float and math.isfinite(value)) for value in values)
    assert shape.solidity is None or 0 < shape.solidity <= 1
    assert 0 < solidity(mask) <= 1
    assert shape.circularity is None or 0 < shape.circularity <= 1
    assert shape.eccentricity is None or 0 <= shape.eccentricity < 1
    assert shape.orientation_deg is None or 0 <= shape.orientation_deg < 180
    assert shape.minor_axis_px <= shape.major_axis_px
    x, y = centroid_xy(mask)
    assert 0.5 <= x <= mask.shape[1] - 0.5 and 0.5 <= y <= mask.shape[0] - 0.5


@settings(max_examples=60, deadline=None)
@given(MASKS, st.integers(0, 5), st.integers(0, 5))
def test_a_margin_around_the_mask_changes_nothing(mask: np.ndarray, top: int, left: int) -> None:
    moved = np.pad(mask, ((top, 2), (left, 1)))
    assert shape_of(moved) == shape_of(mask)
    x, y = centroid_xy(mask)
    assert centroid_xy(moved) == pytest.approx((x + left, y + top))


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_flips_and_quarter_turns_keep_the_shape_and_turn_the_angle(mask: np.ndarray) -> None:
    shape = shape_of(mask)
    for turned, angle in ((mask[:, ::-1], lambda a: -a), (mask[::-1], lambda a: -a), (np.rot90(mask), lambda a: a + 90)):
        other = shape_of(np.ascontiguousarray(turned))
        for name in ("equivalent_diameter_px", "major_axis_px", "minor_axis_px", "elongation", "eccentricity", "solidity", "circularity"):
            assert getattr(other, name) == pytest.approx(getattr(shape, name), abs=2e-3), name
        if shape.orientation_deg is not None and other.orientation_deg is not None:
            assert abs((other.orientation_deg - angle(shape.orientation_deg) + 90) % 180 - 90) < 0.01


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_scikit_image_agrees_where_the_definitions_do(mask: np.ndarray) -> None:
    (region,) = regionprops(mask.astype(np.uint8))
    shape = shape_of(mask)
    x, y = centroid_xy(mask)
    assert (y - 0.5, x - 0.5) == pytest.approx(region.centroid)
    assert shape.equivalent_diameter_px == pytest.approx(region.equivalent_diameter_area, abs=1e-3)
    assert perimeter_px(mask) == pytest.approx(perimeter_crofton(mask, directions=4), rel=1e-6)
    # scikit-image leaves out the 1/12 that the extent of a pixel adds to its second moments.
    for ours, theirs in ((shape.major_axis_px, region.axis_major_length), (shape.minor_axis_px, region.axis_minor_length)):
        assert ours**2 == pytest.approx(theirs**2 + 16 / 12, abs=0.01, rel=1e-3)


def test_scikit_image_agrees_on_the_angle() -> None:
    mask = ellipse(120, 120, 60, 60, 45, 15, 33)
    (region,) = regionprops(mask.astype(np.uint8))
    # scikit-image measures from the row axis, counter-clockwise as rows grow downwards.
    assert shape_of(mask).orientation_deg == pytest.approx((math.degrees(region.orientation) + 90) % 180, abs=0.1)


def test_the_greatest_diameter_uses_row_and_column_spacing() -> None:
    mask = rectangle(40, 40, 5, 5, 35, 15)
    assert feret_mm(mask, [1.0, 1.0]) == pytest.approx(math.hypot(30, 10))
    assert feret_mm(mask, [2.0, 0.5]) == pytest.approx(math.hypot(20, 15))
    assert feret_mm(mask.T.copy(), [0.5, 2.0]) == pytest.approx(math.hypot(20, 15))


@settings(max_examples=60, deadline=None)
@given(MASKS, st.floats(0.1, 5), st.floats(0.1, 5))
def test_the_greatest_diameter_is_that_of_all_pixel_corners(mask: np.ndarray, row_mm: float, column_mm: float) -> None:
    rows, columns = np.nonzero(mask)
    corners = np.array([(r + dr, c + dc) for r, c in zip(rows, columns, strict=True) for dr in (0, 1) for dc in (0, 1)])
    scaled = corners * [row_mm, column_mm]
    expected = max(np.hypot(*(scaled - point).T).max() for point in scaled)
    assert feret_mm(mask, [row_mm, column_mm]) == pytest.approx(expected)


def test_the_hull_of_a_rectangle_is_its_four_corners() -> None:
    assert sorted(map(tuple, hull_corners(np.ones((3, 5), bool)).tolist())) == [(0, 0), (0, 3), (5, 0), (5, 3)]
