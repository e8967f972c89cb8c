"""Boxes as published sets write them, in pixels of the picture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.verify.foreign.formats import BOX_FORMATS, to_px

WIDTH, HEIGHT = 200, 100


@pytest.mark.parametrize(
    ("name", "box"),
    [
        ("xyxy_px", [20, 10, 60, 40]), ("xywh_px", [20, 10, 40, 30]), ("cxcywh_px", [40, 25, 40, 30]), ("xyxy_norm", [0.1, 0.1, 0.3, 0.4]),
        ("xywh_norm", [0.1, 0.1, 0.2, 0.3]), ("cxcywh_norm", [0.2, 0.25, 0.2, 0.3]), ("xyxy_1000", [100, 100, 300, 400]),
    ],
)  # fmt: skip
def test_every_format_says_the_same_box(name: str, box: list[float]) -> None:
    assert to_px(box, name, WIDTH, HEIGHT) == pytest.approx([20, 10, 60, 40])


def test_no_format_is_untested() -> None:
    assert len(BOX_FORMATS) == 7


@given(st.tuples(st.integers(0, 99), st.integers(0, 49), st.integers(1, 100), st.integers(1, 50)))
def test_pixels_and_shares_of_the_picture_agree(box: tuple[int, int, int, int]) -> None:
    x, y, width, height = box
    share = [x / WIDTH, y / HEIGHT, width / WIDTH, height / HEIGHT]
    assert to_px(share, "xywh_norm", WIDTH, HEIGHT) == pytest.approx(to_px(box, "xywh_px", WIDTH, HEIGHT))
