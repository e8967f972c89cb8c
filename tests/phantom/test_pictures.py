"""Radiographs, ultrasound and microscopy: sides, counts, sizes and separation of what is drawn."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.phantom import fields
from stages.phantom.cxr import Radiograph, build_radiograph
from stages.phantom.microscopy import build_field
from stages.phantom.ultrasound import VALUES, build_scan

SEEDS = range(12)
LEAST_SIDE = 0.045


@pytest.fixture(scope="module")
def radiographs() -> list[Radiograph]:
    return [build_radiograph(np.random.default_rng(seed), np.random.default_rng(seed + 100)) for seed in SEEDS]


def regions(mask: np.ndarray) -> np.ndarray:
    """Statistics rows of the connected regions of a mask."""
    return cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)[2][1:]


def least_side(region: np.ndarray, shape: tuple[int, int]) -> float:
    return min(region[cv2.CC_STAT_WIDTH] / shape[1], region[cv2.CC_STAT_HEIGHT] / shape[0])


def mean_column(mask: np.ndarray) -> float:
    return float(np.nonzero(mask)[1].mean())


def opacities(radiograph: Radiograph) -> list[np.ndarray]:
    return [mask for name, mask in radiograph.masks.items() if name.startswith("opacity_")]


def test_the_left_lung_and_the_heart_lie_at_the_right_of_the_picture(radiographs: list[Radiograph]) -> None:
    for radiograph in radiographs:
        left, right, heart = (radiograph.masks[name] for name in ("left_lung", "right_lung", "heart"))
        middle = (mean_column(left) + mean_column(right)) / 2
        assert mean_column(right) < radiograph.image.shape[1] / 2 < mean_column(left)
        assert middle < mean_column(heart) < mean_column(left)


def test_the_right_dome_of_the_diaphragm_stands_higher(radiographs: list[Radiograph]) -> None:
    lowest = [[np.nonzero(radiograph.masks[name])[0].max() for name in ("right_lung", "left_lung")] for radiograph in radiographs]
    assert np.mean([right < left for right, left in lowest]) > 0.8


def test_opacities_lie_in_the_lungs_in_both_of_them_and_apart(radiographs: list[Radiograph]) -> None:
    for radiograph in radiographs:
        found = opacities(radiograph)
        lungs = [radiograph.masks["left_lung"], radiograph.masks["right_lung"]]
        assert 2 <= len(found) <= 5
        assert all((mask <= np.logical_or(*lungs)).all() for mask in found)
        assert all(any((mask & lung).any() for mask in found) for lung in lungs)
        assert len(regions(np.logical_or.reduce(found))) == len(found)


def test_opacities_are_brighter_than_the_lung_around_them(radiographs: list[Radiograph]) -> None:
    for radiograph in radiographs:
        lung = radiograph.masks["left_lung"] | radiograph.masks["right_lung"]
        for mask in opacities(radiograph):
            ring = fields.grown(mask, 6) & ~fields.grown(mask, 2) & lung
            assert radiograph.image[mask].mean() > radiograph.image[ring].mean() + 10


def test_radiographs_are_8_bit_and_every_structure_is_one_region_of_their_size(radiographs: list[Radiograph]) -> None:
    for radiograph in radiographs:
        assert radiograph.image.dtype == np.uint8 and 224 <= min(radiograph.image.shape) <= max(radiograph.image.shape) <= 288
        for mask in radiograph.masks.values():
            assert mask.shape == radiograph.image.shape
            (region,) = regions(mask)
            assert least_side(region, mask.shape) >= LEAST_SIDE


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scan_has_nerves_and_vessels_that_do_not_touch(seed: int) -> None:
    scan = build_scan(np.random.default_rng(seed))
    found = {kind: regions(scan.labels == value) for kind, value in VALUES.items()}
    assert scan.image.shape == scan.labels.shape and scan.image.dtype == scan.labels.dtype == np.uint8
    assert 1 <= len(found["nerve"]) <= 3 and 1 <= len(found["vessel"]) <= 4
    assert len(regions(scan.labels > 0)) == len(found["nerve"]) + len(found["vessel"])
    assert all(least_side(region, scan.labels.shape) >= LEAST_SIDE for rows in found.values() for region in rows)


@pytest.mark.parametrize("seed", SEEDS)
def test_nerves_are_brighter_and_lumens_darker_than_what_surrounds_them(seed: int) -> None:
    scan = build_scan(np.random.default_rng(seed))
    for kind, sign in (("nerve", 1), ("vessel", -1)):
        _, numbered = cv2.connectedComponents((scan.labels == VALUES[kind]).astype(np.uint8))
        for number in range(1, numbered.max() + 1):
            inside = numbered == number
            ring = fields.grown(inside, 8) & ~fields.grown(inside, 3) & (scan.labels == 0) & (scan.image > 0)
            assert sign * (float(scan.image[inside].mean()) - float(scan.image[ring].mean())) > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_nuclei_are_single_regions_that_do_not_overlap(seed: int) -> None:
    field = build_field(np.random.default_rng(seed))
    assert field.image.shape == (*field.masks[0].shape, 3) and field.image.dtype == np.uint8
    assert 3 <= len(field.masks) <= 10
    assert len(regions(np.logical_or.reduce(field.masks))) == len(field.masks)
    assert np.sum(field.masks, axis=0).max() == 1
    assert all(least_side(regions(mask)[0], mask.shape) >= LEAST_SIDE for mask in field.masks)


def test_microscopy_has_stained_and_fluorescent_fields() -> None:
    brightness = [np.median(build_field(np.random.default_rng(seed)).image) for seed in SEEDS]
    assert min(brightness) < 60 and max(brightness) > 150


@pytest.mark.parametrize("count", [2, 3, 5])
def test_drawn_sizes_are_set_apart_so_that_one_is_the_largest(count: int) -> None:
    for seed in SEEDS:
        sizes = sorted(fields.spread_sizes(np.random.default_rng(seed), count, 5.0, 14.0), reverse=True)
        assert sizes[0] > 1.1 * sizes[1]


def test_a_blob_of_no_wobble_is_the_ellipse_that_was_asked_for() -> None:
    mask = fields.blob(np.random.default_rng(0), (100, 120), (60.0, 40.0), (30.0, 15.0), 0.0, 0.0)
    rows, columns = np.nonzero(mask)
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((60.0, 40.0), abs=0.6)
    assert mask.sum() == pytest.approx(np.pi * 30 * 15, rel=0.06)
