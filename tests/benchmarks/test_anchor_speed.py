"""Measures at the speed of memory; run with ``make bench``. The peers give the same values, so the race is a fair one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stages.anchor.measure import measure_labels
from tests.benchmarks.anchor import CASES, LEAST_TIMES_FASTER, MOST_TIMES_THE_SUM, RING_PX, SIDE, case, growth
from tests.benchmarks.peers import regionprops_all, regionprops_own
from tests.benchmarks.scenes import scene

pytestmark = pytest.mark.benchmark

SAME = {
    "area": "area_px", "bbox-0": "y0", "bbox-3": "x1", "equivalent_diameter_area": "equivalent_diameter_px", "mad": "mad", "texture": "texture",
    "intensity_mean": "mean", "intensity_std": "std", "intensity_median": "median", "enclosed_share": "enclosed_share",
    "feret_diameter_min": "feret_min_px", "ring_mean": "ring_mean", "ring_std": "ring_std", "ring_median": "ring_median", "ring_mad": "ring_mad",
    "contrast": "contrast", "contrast_to_noise": "contrast_to_noise", "robust_contrast": "robust_contrast",
}  # fmt: skip


@pytest.mark.parametrize("count", sorted(CASES))
def test_the_peer_gives_the_same_values(count: int) -> None:
    labels, grey = scene(SIDE, count, CASES[count])
    _, rows = measure_labels(labels, grey, RING_PX)
    table = regionprops_all(labels, grey, RING_PX)
    for theirs, ours in SAME.items():
        assert np.allclose(table[theirs], rows[ours], equal_nan=True), theirs
    inside = rows["border"] == 0  # the table does not count what an image's border cuts off
    for theirs, ours in {"perimeter_crofton": "perimeter_px", "circularity": "circularity", "convexity": "convexity"}.items():
        assert np.allclose(table[theirs][inside], rows[ours][inside]), theirs


@pytest.mark.parametrize("count", sorted(LEAST_TIMES_FASTER))
def test_all_attributes_come_many_times_faster_than_from_regionprops_table(count: int) -> None:
    figures = case(count)
    assert figures["times_faster_than_skimage_regionprops_table_its_own_attributes"] >= LEAST_TIMES_FASTER[count]
    assert figures["times_faster_than_skimage_regionprops_table_same_attributes"] >= LEAST_TIMES_FASTER[count]
    assert figures["times_the_numpy_sum_of_map_and_image"] <= MOST_TIMES_THE_SUM


def test_time_grows_no_faster_than_pixels_and_objects() -> None:
    figures = growth()
    assert figures["time_over_4_times_the_time_at_4_times_pixels_and_objects"] < 1.5
    assert figures["time_over_64_times_the_time_at_64_times_the_objects"] < 1.5


@pytest.mark.parametrize("count", sorted(CASES))
@pytest.mark.parametrize("contender", ["ours", "regionprops_table", "sum of map and image"])
def test_time(benchmark: Callable[..., Any], contender: str, count: int) -> None:
    labels, grey = scene(SIDE, count, CASES[count])
    contenders: dict[str, Callable[[], Any]] = {
        "ours": lambda: measure_labels(labels, grey, RING_PX)[0].size,
        "regionprops_table": lambda: regionprops_own(labels, grey)["label"].size,
        "sum of map and image": lambda: (labels.sum(), grey.sum()) and count,
    }
    assert benchmark(contenders[contender]) == count
