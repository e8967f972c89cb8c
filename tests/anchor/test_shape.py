"""Shape against known answers, and under moves, flips, turns and other spacings of the mask."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.anchor.measure import measure_crops
from stages.anchor.shape import shapes_of
from stages.core.records import Shape
from stages.knowledge.words import thresholds
from tests.anchor.scenes import disc, ellipse, rectangle
from tests.anchor.test_measure import Cut

MASKS = arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))).filter(lambda mask: mask.any())


def shape_of(mask: np.ndarray, spacing_mm: list[float] | None = None) -> Shape:
    """Shape of a boolean mask (height, width)."""
    return shapes_of(measure_crops([Cut("", 0, 0, mask)], mask.astype(np.uint8), 1, spacing_mm), thresholds())[0]


def feret_mm(mask: np.ndarray, spacing_mm: list[float]) -> float:
    """The greatest diameter in millimetres."""
    return float(measure_crops([Cut("", 0, 0, mask)], mask.astype(np.uint8), 1, spacing_mm)["feret_max_mm"][0])


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
    assert shape.convexity == 1
    assert (shape.feret_max_px, shape.feret_min_px) == (pytest.approx(2 * radius, abs=math.sqrt(2)),) * 2
    assert (shape.enclosed_share, shape.hollow) == (0, False)


def test_the_crofton_perimeter_of_a_large_disc_is_right_within_half_a_percent() -> None:
    assert shape_of(disc(128, 128, 64, 64, 50)).perimeter_px == pytest.approx(2 * math.pi * 50, rel=0.005)


@pytest.mark.parametrize("angle", [0, 20, 45, 70, 90, 110, 135, 160, 175])
def test_a_turned_ellipse_has_its_axes_and_its_angle_counter_clockwise_on_the_screen(angle: int) -> None:
    shape = shape_of(ellipse(160, 160, 80, 80, 50, 20, angle))
    assert shape.major_axis_px == pytest.approx(100, rel=0.01)
    assert shape.minor_axis_px == pytest.approx(40, rel=0.01)
    assert shape.elongation == pytest.approx(2.5, rel=0.02)
    assert shape.eccentricity == pytest.approx(math.sqrt(1 - 0.4**2), rel=0.01)
    assert abs((shape.orientation_deg - angle + 90) % 180 - 90) < 0.5
    assert shape.feret_max_px == pytest.approx(100, abs=1.2)
    assert shape.feret_min_px == pytest.approx(40, abs=1.2)
    # Ramanujan's second approximation of an ellipse's perimeter.
    h = (30 / 70) ** 2
    assert shape.perimeter_px == pytest.approx(math.pi * 70 * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h))), rel=0.03)
    assert shape.convexity > 0.985


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
    assert shape.convexity == 1
    assert shape.feret_max_px == pytest.approx(math.hypot(width, height), abs=1e-4)
    assert shape.feret_min_px == short
    if long / short > 1.2:
        assert shape.orientation_deg == pytest.approx(0 if width > height else 90, abs=1e-3)


def test_a_ring_is_neither_solid_nor_circular() -> None:
    ring = disc(80, 80, 40, 40, 30) & ~disc(80, 80, 40, 40, 20)
    shape = shape_of(ring)
    assert shape.solidity == pytest.approx(1 - (20 / 30) ** 2, abs=0.02)
    assert shape.circularity == pytest.approx((30**2 - 20**2) / (30 + 20) ** 2, rel=0.02)
    assert shape.elongation == pytest.approx(1, abs=0.01)
    assert shape.enclosed_share == pytest.approx((20 / 30) ** 2, abs=0.02)
    assert shape.convexity == pytest.approx(30 / (30 + 20), rel=0.02)
    assert shape.hollow is True


@pytest.mark.parametrize(("inner", "hollow"), [(0, False), (12, None), (18, True)])
def test_between_hollow_and_solid_nothing_is_said(inner: int, hollow: bool | None) -> None:
    ring = disc(80, 80, 40, 40, 30) & ~disc(80, 80, 40, 40, inner)
    assert shape_of(ring).hollow is hollow


def test_a_bay_is_no_hole_and_a_gap_at_a_corner_lets_nothing_out() -> None:
    ring = rectangle(12, 12, 1, 1, 11, 11) & ~rectangle(12, 12, 4, 4, 8, 8)
    assert shape_of(ring).enclosed_share == pytest.approx(0.16)
    opened = ring & ~rectangle(12, 12, 5, 0, 6, 5)
    assert shape_of(opened).enclosed_share == 0
    at_a_corner = rectangle(12, 12, 1, 1, 11, 11) & ~rectangle(12, 12, 2, 2, 8, 8) & ~rectangle(12, 12, 1, 1, 2, 2)
    assert shape_of(at_a_corner).enclosed_share == pytest.approx(36 / 99, abs=1e-4)


def test_one_pixel_has_a_size_and_no_shape() -> None:
    shape = shape_of(np.ones((1, 1), bool))
    assert shape.equivalent_diameter_px == pytest.approx(math.sqrt(4 / math.pi), abs=1e-4)
    assert shape.major_axis_px == shape.minor_axis_px == pytest.approx(4 / math.sqrt(12), abs=1e-4)
    assert (shape.orientation_deg, shape.elongation, shape.eccentricity, shape.solidity, shape.circularity) == (None,) * 5
    assert (shape.perimeter_px, shape.convexity, shape.enclosed_share, shape.hollow) == (None,) * 4
    assert (shape.feret_max_px, shape.feret_min_px) == (pytest.approx(math.sqrt(2), abs=1e-4), 1)


@pytest.mark.parametrize("line", [np.ones((1, 40), bool), np.ones((40, 1), bool)], ids=["row", "column"])
def test_a_line_of_one_pixel_has_a_direction_and_no_elongation(line: np.ndarray) -> None:
    shape = shape_of(line)
    assert shape.elongation is None
    assert shape.orientation_deg == pytest.approx(0 if line.shape[0] == 1 else 90)
    assert shape.solidity == 1.0
    assert (shape.feret_max_px, shape.feret_min_px) == (pytest.approx(math.hypot(40, 1), abs=1e-4), 1)


def test_a_diagonal_line_has_no_elongation_either() -> None:
    shape = shape_of(np.eye(30, dtype=bool))
    assert shape.elongation is None
    assert shape.orientation_deg == pytest.approx(135)
    assert shape.feret_max_px == pytest.approx(30 * math.sqrt(2), abs=1e-4)


@settings(max_examples=100, deadline=None)
@given(MASKS, st.none() | st.tuples(st.floats(0.1, 5), st.floats(0.1, 5)).map(list))
def test_any_mask_has_finite_values_within_bounds(mask: np.ndarray, spacing_mm: list[float] | None) -> None:
    shape = shape_of(mask, spacing_mm)
    values = [getattr(shape, name) for name in shape.__dataclass_fields__ if name != "hollow"]
    assert all(value is None or (type(value) is float and math.isfinite(value)) for value in values)
    for name in ("solidity", "circularity", "convexity"):
        assert getattr(shape, name) is None or 0 < getattr(shape, name) <= 1
    assert shape.eccentricity is None or 0 <= shape.eccentricity < 1
    assert shape.enclosed_share is None or 0 <= shape.enclosed_share < 1
    assert shape.orientation_deg is None or 0 <= shape.orientation_deg < 180
    assert shape.minor_axis_px <= shape.major_axis_px
    assert 1 <= shape.feret_min_px < shape.feret_max_px
    for value in (shape.feret_min_mm, shape.equivalent_diameter_mm):
        assert (value is None) == (spacing_mm is None)


@settings(max_examples=60, deadline=None)
@given(MASKS, st.integers(0, 5), st.integers(0, 5))
def test_a_margin_around_the_mask_changes_nothing(mask: np.ndarray, top: int, left: int) -> None:
    moved = np.pad(mask, ((top, 2), (left, 1)))
    assert shape_of(moved, [0.5, 2.0]) == shape_of(mask, [0.5, 2.0])


def test_one_object_has_the_same_shape_anywhere_in_a_large_image() -> None:
    cut = ellipse(40, 60, 31, 19, 25, 12, 17)
    grey = np.zeros((3000, 4000), np.uint8)
    places = [(0, 0), (1234, 777), (2960, 3940)]
    rows = measure_crops([Cut("", row, column, cut) for row, column in places], grey, 1)
    assert len({repr(shape) for shape in shapes_of(rows, thresholds())}) == 1
    assert rows["centroid_x_px"] - [column for _, column in places] == pytest.approx([rows["centroid_x_px"][0]] * 3)


@settings(max_examples=60, deadline=None)
@given(MASKS, st.floats(0.2, 5), st.floats(0.2, 5))
def test_flips_and_quarter_turns_keep_the_shape_and_turn_the_angle(mask: np.ndarray, row_mm: float, column_mm: float) -> None:
    shape = shape_of(mask, [row_mm, column_mm])
    flips = [(mask[:, ::-1], [row_mm, column_mm], lambda a: -a), (mask[::-1], [row_mm, column_mm], lambda a: -a)]
    for turned, spacing_mm, angle in [*flips, (np.rot90(mask), [column_mm, row_mm], lambda a: a + 90)]:
        other = shape_of(np.ascontiguousarray(turned), spacing_mm)
        for name in shape.__dataclass_fields__:
            if name != "orientation_deg":
                tolerance = 2e-3 if name in ("elongation", "eccentricity") else 2e-4
                assert getattr(other, name) == pytest.approx(getattr(shape, name), abs=tolerance), name
        if shape.orientation_deg is not None and other.orientation_deg is not None:
            assert abs((other.orientation_deg - angle(shape.orientation_deg) + 90) % 180 - 90) < 0.01


@settings(max_examples=60, deadline=None)
@given(MASKS, st.floats(0.2, 5))
def test_a_coarser_spacing_scales_millimetres_and_nothing_in_pixels(mask: np.ndarray, factor: float) -> None:
    fine, coarse = shape_of(mask, [1.0, 1.5]), shape_of(mask, [factor, 1.5 * factor])
    for name in fine.__dataclass_fields__:
        before, after = getattr(fine, name), getattr(coarse, name)
        assert after == (pytest.approx(before * factor, abs=1e-3) if name.endswith("_mm") and before is not None else before), name


def test_anisotropic_spacing_gives_the_lengths_of_the_true_shape() -> None:
    shape = shape_of(rectangle(40, 40, 5, 5, 25, 15), [3.0, 0.5])
    assert shape.equivalent_diameter_mm == pytest.approx(math.sqrt(4 * 10 * 30 / math.pi), abs=1e-4)
    assert shape.feret_min_mm == pytest.approx(10)
    assert feret_mm(rectangle(40, 40, 5, 5, 25, 15), [3.0, 0.5]) == pytest.approx(math.hypot(10, 30))


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
