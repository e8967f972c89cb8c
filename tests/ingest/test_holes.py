"""Holes of a mask that another label fills."""

from __future__ import annotations

import numpy as np
import pytest

from stages.ingest.holes import filled_holes
from stages.ingest.objects import ObjectMask


def square(low: int, high: int) -> np.ndarray:
    mask = np.zeros((40, 40), bool)
    mask[low:high, low:high] = True
    return mask


def pairs(organ: str, mask: np.ndarray, part: str, other: np.ndarray, cropped: bool = False) -> list[tuple[str, str]]:
    objects = [ObjectMask(organ, "1", True, mask), ObjectMask(part, "2", True, other)]
    if cropped:
        rows, columns = np.flatnonzero(other.any(axis=1)), np.flatnonzero(other.any(axis=0))
        crop = other[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        objects[1] = ObjectMask(part, "2", True, crop, corner=(int(rows[0]), int(columns[0])))
    return filled_holes(objects)


@pytest.mark.parametrize("cropped", [True, False])
def test_a_hole_that_a_lesion_fills_is_found(cropped: bool) -> None:
    hole = square(10, 20)
    assert pairs("liver", square(0, 40) & ~hole, "liver lesion", hole, cropped) == [("liver", "liver lesion")]


def test_one_of_several_lesions_is_enough() -> None:
    hole, outside = square(10, 20), square(35, 38)
    assert pairs("liver", square(0, 30) & ~hole, "liver lesion", hole | outside) == [("liver", "liver lesion")]


@pytest.mark.parametrize(
    ("organ", "lesion"),
    [
        (square(5, 30), square(10, 20)),  # listed under both
        (square(5, 30) & ~square(10, 22), square(10, 20)),  # filled in part
        (square(5, 30) & ~square(5, 12), square(5, 12)),  # at the edge of the organ
        (square(0, 30) & ~square(0, 12), square(0, 12)),  # at the frame
        (square(5, 30), square(32, 36)),  # elsewhere
    ],
)
def test_what_fills_no_hole_is_not_flagged(organ: np.ndarray, lesion: np.ndarray) -> None:
    assert pairs("liver", organ, "liver lesion", lesion) == []


def test_chambers_in_their_walls_are_as_they_should_be() -> None:
    hole = square(10, 20)
    assert pairs("left ventricular myocardium", square(5, 25) & ~hole, "left ventricle", hole) == []
    assert pairs("white blood cell cytoplasm", square(5, 25) & ~hole, "white blood cell nucleus", hole) == []
    assert pairs("optic disc", square(5, 25) & ~hole, "optic cup", hole) == [("optic disc", "optic cup")]
