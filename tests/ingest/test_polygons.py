"""The rasteriser: areas, tilings, holes, and agreement with other programs where the conventions agree."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.draw
from hypothesis import example, given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from stages.ingest.polygons import PolygonError, circle, fill_rings, rectangle

SHAPE = (40, 50)
whole = st.integers(0, 40)


def whole_mask(rings: list, shape: tuple[int, int] = SHAPE, pixel_centre: float = 0.5) -> np.ndarray:
    filled = fill_rings([np.array(ring, float) for ring in rings], shape, pixel_centre)
    canvas = np.zeros(shape, bool)
    (top, left), (height, width) = filled.corner, filled.mask.shape
    canvas[top : top + height, left : left + width] = filled.mask
    return canvas


@given(st.tuples(st.integers(0, 48), st.integers(0, 38)), st.integers(1, 12), st.integers(1, 12))
def test_a_rectangle_on_pixel_edges_is_exactly_its_pixels_here_and_in_pycocotools(corner: tuple, width: int, height: int) -> None:
    x, y = corner
    x1, y1 = min(x + width, 50), min(y + height, 40)
    mask = whole_mask([rectangle((x, y), (x1, y1))])
    assert mask.sum() == (x1 - x) * (y1 - y) and mask[y:y1, x:x1].all()
    code = coco_mask.merge(coco_mask.frPyObjects([rectangle((x, y), (x1, y1)).ravel().tolist()], *SHAPE))
    assert np.array_equal(mask, coco_mask.decode(code).astype(bool))


@given(st.lists(st.tuples(st.floats(1, 49), st.floats(1, 39)), min_size=3, max_size=3))
def test_the_area_of_a_triangle_is_that_of_its_pixels_within_its_rim(points: list) -> None:
    ring = np.array(points)
    ends = np.roll(ring, -1, axis=0)
    area = abs(float((ring[:, 0] * ends[:, 1] - ring[:, 1] * ends[:, 0]).sum())) / 2
    rim = float(np.hypot(*(ring - ends).T).sum())
    try:
        pixels = int(whole_mask([ring]).sum())
    except PolygonError:
        pixels = 0
    assert abs(pixels - area) <= rim + 1


@given(st.lists(st.tuples(st.integers(0, 45), st.integers(0, 38)), min_size=3, max_size=8))
def test_centres_off_every_edge_agree_with_skimage(points: list) -> None:
    # Off the grid of centres no pixel centre lies on an edge with these steps, where conventions differ.
    ring = np.array(points, float) + [0.137, 0.291]
    expected = skimage.draw.polygon2mask(SHAPE, ring[:, ::-1])
    try:
        mask = whole_mask([ring], pixel_centre=0.0)
    except PolygonError:
        mask = np.zeros(SHAPE, bool)
    assert (mask != expected).sum() <= _on_edges(ring)


def _on_edges(ring: np.ndarray) -> int:
    """How many pixel centres lie within rounding of an edge."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    near = np.zeros(SHAPE, bool)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        length = max(np.hypot(x1 - x0, y1 - y0), 1e-9)
        near |= np.abs((x1 - x0) * (rows - y0) - (y1 - y0) * (columns - x0)) / length < 1e-6
    return int(near.sum())


@given(st.integers(1, 47), st.integers(0, 48), st.integers(0, 48))
@example(1, 0, 45)  # a centre on the edge, to which rounding comes from one end alone
def test_two_regions_that_share_an_outline_share_no_pixel_and_leave_none_out(x: int, upper: int, lower: int) -> None:
    left = [(0, 0), (upper, 0), (x, 20), (lower, 40), (0, 40)]
    right = [(upper, 0), (50, 0), (50, 40), (lower, 40), (x, 20)]
    first, second = whole_mask([left]), whole_mask([right])
    assert not (first & second).any()
    assert (first | second).all()


def test_a_ring_inside_another_is_a_hole() -> None:
    mask = whole_mask([rectangle((0, 0), (10, 10)), rectangle((2, 2), (5, 5))])
    assert mask.sum() == 100 - 9 and not mask[2:5, 2:5].any()


def test_whole_numbers_on_pixel_centres_are_shifted_by_half_a_pixel() -> None:
    ring = [(0.4, 0.4), (3.6, 0.4), (3.6, 2.6), (0.4, 2.6)]
    assert np.argwhere(whole_mask([ring], pixel_centre=0.0)).tolist() == [[r, c] for r in (1, 2) for c in (1, 2, 3)]
    assert np.argwhere(whole_mask([ring])).tolist() == [[r, c] for r in (0, 1, 2) for c in (0, 1, 2, 3)]


@pytest.mark.parametrize("radius", [7.3, 10.5, 17.2])
def test_a_circle_has_the_area_of_a_circle(radius: float) -> None:
    area = int(whole_mask([circle((25.2, 20.1), (25.2 + radius, 20.1))]).sum())
    assert area == pytest.approx(np.pi * radius**2, rel=0.02)


def test_a_polygon_over_the_edge_is_clipped_and_says_so() -> None:
    filled = fill_rings([rectangle((-5, -5), (4, 3))], SHAPE)
    assert filled.clipped and filled.corner == (0, 0) and filled.mask.shape == (3, 4) and filled.mask.all()
    assert not fill_rings([rectangle((-0.5, 0), (4, 3))], SHAPE).clipped


@pytest.mark.parametrize(
    ("ring", "message"),
    [
        ([(1, 1), (5, 5)], "2 points enclose nothing"),
        ([(60, 1), (70, 1), (70, 9)], "outside the image of 50 x 40"),
        ([(1, 5), (9, 5), (4, 5)], "no area"),
        ([(1.1, 1), (1.2, 1), (1.2, 9)], "no pixel centre"),
        ([(1, 1), (float("nan"), 1), (4, 4)], "not a finite number"),
    ],
)
def test_rings_that_give_no_mask_say_why(ring: list, message: str) -> None:
    with pytest.raises(PolygonError, match=message):
        fill_rings([np.array(ring, float)], SHAPE)
