"""The compiled pass against plain NumPy, scikit-image and SimpleITK; edges of its input; growth."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.feature import graycomatrix, graycoprops
from skimage.measure import label as components
from skimage.measure import regionprops

from stages.anchor.measure import FIELDS, measure_crops, measure_labels
from tests.anchor.reference import measures_of
from tests.anchor.scenes import disc, ellipse, rectangle

ROOT = Path(__file__).resolve().parents[2]
SIDES = st.tuples(st.integers(1, 16), st.integers(1, 16))
MASKS = arrays(bool, SIDES).filter(lambda mask: mask.any())
PIECES = st.tuples(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.integers(0, 11), st.integers(0, 15), st.sampled_from("ab"))
SPACINGS = st.none() | st.tuples(st.floats(0.1, 5), st.floats(0.1, 5)).map(list)


@dataclass(frozen=True)
class Cut:
    """A crop as ``measure_crops`` takes it."""

    label: str
    row: int
    column: int
    mask: np.ndarray


def _assert_equal(row: np.void, expected: dict[str, float]) -> None:
    for name in FIELDS.names:
        ours, theirs = float(row[name]), float(expected[name])
        if name == "orientation_deg":
            if row["major_axis_px"] / row["minor_axis_px"] > 1 + 1e-6:
                assert abs((ours - theirs + 90) % 180 - 90) < 1e-5
        elif name == "eccentricity":  # a square root of a small difference
            assert ours**2 == pytest.approx(theirs**2, abs=1e-9), name
        elif name == "elongation" and math.isnan(ours) != math.isnan(theirs):
            assert row["minor_axis_px"] == pytest.approx(4 / math.sqrt(12)), name
        else:
            assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9, nan_ok=True), name


def _noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


@settings(max_examples=150, deadline=None)
@given(MASKS, st.integers(1, 7), SPACINGS, st.integers(0, 9))
def test_any_mask_measures_as_in_plain_numpy(mask: np.ndarray, ring_px: int, spacing_mm: list[float] | None, seed: int) -> None:
    grey = _noise(mask.shape, seed)
    (row,) = measure_crops([Cut("a", 0, 0, mask)], grey, ring_px, spacing_mm)
    _assert_equal(row, measures_of(mask, grey, mask, ring_px, spacing_mm))


@settings(max_examples=60, deadline=None)
@given(arrays(np.int32, SIDES, elements=st.integers(0, 5)), st.integers(1, 4), st.booleans())
def test_any_label_map_measures_as_in_plain_numpy(labels: np.ndarray, ring_px: int, two_classes: bool) -> None:
    grey = _noise(labels.shape, 3)
    classes = np.array([0, 0, 1, 0, 1, 1]) if two_classes else np.zeros(6, int)
    present, rows = measure_labels(labels, grey, ring_px, [0.7, 1.3], classes)
    assert present.tolist() == sorted(set(labels.ravel().tolist()) - {0})
    for value, row in zip(present, rows, strict=True):
        same_class = (labels > 0) & (classes[labels] == classes[value])
        _assert_equal(row, measures_of(labels == value, grey, same_class, ring_px, [0.7, 1.3]))


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=5))
def test_crops_that_overlap_and_touch_measure_as_in_plain_numpy(pieces: list) -> None:
    grey = _noise((20, 24), 5)
    crops = [Cut(label, row, column, mask) for mask, row, column, label in pieces if mask.any()]
    full = []
    for crop in crops:
        canvas = np.zeros(grey.shape, bool)
        canvas[crop.row : crop.row + crop.mask.shape[0], crop.column : crop.column + crop.mask.shape[1]] = crop.mask
        full.append(canvas)
    for crop, mask, row in zip(crops, full, measure_crops(crops, grey, 3), strict=True):
        same_class = np.logical_or.reduce([other for other, cut in zip(full, crops, strict=True) if cut.label == crop.label])
        _assert_equal(row, measures_of(mask, grey, same_class, 3, None))


def _scene() -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros((200, 240), np.int32)
    labels[disc(200, 240, 50, 60, 30)] = 1
    labels[ellipse(200, 240, 150, 60, 50, 20, 25)] = 2
    labels[ellipse(200, 240, 70, 150, 40, 25, 100) & ~disc(200, 240, 70, 150, 15)] = 3
    labels[rectangle(200, 240, 140, 120, 239, 160) & ~rectangle(200, 240, 160, 120, 210, 150)] = 4
    labels[rectangle(200, 240, 0, 190, 9, 200)] = 9
    return labels, _noise(labels.shape, 1)


def test_a_larger_scene_measures_as_in_plain_numpy() -> None:
    labels, grey = _scene()
    present, rows = measure_labels(labels, grey, 6, [0.5, 0.8])
    for value, row in zip(present, rows, strict=True):
        _assert_equal(row, measures_of(labels == value, grey, labels > 0, 6, [0.5, 0.8]))


def test_scikit_image_agrees_where_the_definitions_do() -> None:
    labels, grey = _scene()
    _, rows = measure_labels(labels, grey, 6)
    for row, region in zip(rows, regionprops(labels, grey), strict=True):
        assert (row["y0"], row["x0"], row["y1"], row["x1"]) == region.bbox
        assert row["area_px"] == region.area
        assert (row["centroid_y_px"] - 0.5, row["centroid_x_px"] - 0.5) == pytest.approx(region.centroid)
        assert row["equivalent_diameter_px"] == pytest.approx(region.equivalent_diameter_area)
        # Its inertia tensor leaves out the 1/12 of a pixel, its hull runs through the middle of pixel edges.
        assert row["major_axis_px"] ** 2 == pytest.approx(region.axis_major_length**2 + 16 / 12)
        assert row["solidity"] == pytest.approx(region.solidity, rel=0.03)
        assert row["feret_max_px"] == pytest.approx(region.feret_diameter_max, abs=1.5)
        assert (row["mean"], row["std"]) == (pytest.approx(region.intensity_mean), pytest.approx(region.intensity_std))
        assert row["median"] == pytest.approx(region.intensity_median)
        holes = region.area_filled - region.area
        assert row["enclosed_share"] == pytest.approx(holes / region.area_filled)
        if row["major_axis_px"] > 1.15 * row["minor_axis_px"]:
            turned = (math.degrees(region.orientation) + 90 - row["orientation_deg"] + 90) % 180 - 90
            assert abs(turned) < 0.05
        whole = regionprops(np.pad(labels, 1), np.pad(grey, 1))[list(rows["area_px"]).index(row["area_px"])]
        assert row["perimeter_px"] == pytest.approx(whole.perimeter_crofton)


def test_simpleitk_agrees_where_the_definitions_do() -> None:
    labels, grey = _scene()
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing((0.8, 0.5))
    shapes, levels = sitk.LabelShapeStatisticsImageFilter(), sitk.LabelIntensityStatisticsImageFilter()
    intensities = sitk.GetImageFromArray(grey)
    intensities.CopyInformation(image)
    shapes.Execute(image)
    levels.Execute(image, intensities)
    present, rows = measure_labels(labels, grey, 6, [0.5, 0.8])
    assert tuple(present) == shapes.GetLabels()
    for value, row in zip(present.tolist(), rows, strict=True):
        x, y, width, height = shapes.GetBoundingBox(value)
        assert (row["x0"], row["y0"], row["x1"], row["y1"]) == (x, y, x + width, y + height)
        assert row["area_px"] == shapes.GetNumberOfPixels(value)
        assert row["area_mm2"] == pytest.approx(shapes.GetPhysicalSize(value))
        centre = ((row["centroid_x_px"] - 0.5) * 0.8, (row["centroid_y_px"] - 0.5) * 0.5)
        assert centre == pytest.approx(shapes.GetCentroid(value))
        assert row["equivalent_diameter_mm"] == pytest.approx(2 * shapes.GetEquivalentSphericalRadius(value))
        assert row["mean"] == pytest.approx(levels.GetMean(value))
        assert row["std"] ** 2 * row["area_px"] == pytest.approx(levels.GetVariance(value) * (row["area_px"] - 1))


def test_texture_is_the_dissimilarity_of_grey_level_co_occurrences() -> None:
    grey = _noise((30, 30), 2)
    (row,) = measure_crops([Cut("a", 0, 0, np.ones((30, 30), bool))], grey, 2)
    pairs = graycomatrix(grey, [1], [0, math.pi / 2])
    assert row["texture"] == pytest.approx(graycoprops(pairs, "dissimilarity").mean())


@pytest.mark.parametrize("spacing_mm", [[1.0, 1.0], [1.0, 2.0], [0.5, 0.8]])
def test_the_perimeter_of_a_disc_in_millimetres_is_right_within_a_percent(spacing_mm: list[float]) -> None:
    rows, columns = np.mgrid[:300, :300] + 0.5
    mask = np.hypot((rows - 150) * spacing_mm[0], (columns - 150) * spacing_mm[1]) <= 60
    (row,) = measure_crops([Cut("a", 0, 0, mask)], mask.astype(np.uint8), 2, spacing_mm)
    assert row["perimeter_mm"] == pytest.approx(2 * math.pi * 60, rel=0.015)
    assert row["feret_max_mm"] == pytest.approx(120, rel=0.02)
    assert row["feret_min_mm"] == pytest.approx(120, rel=0.02)


def test_a_map_without_labels_has_no_objects() -> None:
    for labels in (np.zeros((5, 6), np.int32), np.zeros((0, 6), np.int32)):
        present, rows = measure_labels(labels, labels.astype(np.uint8), 6)
        assert (present.size, rows.size) == (0, 0)
    assert measure_crops([], np.zeros((5, 6), np.uint8), 6).size == 0


def test_far_flung_label_values_and_any_integer_type_are_fine() -> None:
    labels = np.zeros((20, 20), np.int64)
    labels[2:5, 3:9], labels[10:12, 1:4] = 2_000_000_000, 7
    present, rows = measure_labels(labels, np.zeros((20, 20), np.uint8), 2)
    assert present.tolist() == [7, 2_000_000_000]
    assert rows["area_px"].tolist() == [6, 18]
    small, same = measure_labels((labels > 0).astype(np.uint8), np.zeros((20, 20), np.uint8), 2)
    assert (small.tolist(), same["area_px"].tolist()) == ([1], [24])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([[0, -3]]), "positive, got -3"),
        (np.array([[0, -3]], np.int32), "positive, got -3"),
        (np.array([[0, 2**40]]), "renumber"),
        (np.zeros((1, 2)), "integer"),
        (np.zeros((2, 2), int), "as its image"),
    ],
)
def test_a_map_that_cannot_be_measured_is_named(labels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure_labels(labels, np.zeros((1, 2), np.uint8), 6)


@pytest.mark.parametrize(
    ("row", "mask", "message"), [(0, np.zeros((2, 2), bool), "crop 1 has no foreground"), (4, np.ones((2, 2), bool), "outside"), (-1, np.ones((2, 2), bool), "outside")]
)
def test_a_crop_that_cannot_be_measured_is_named(row: int, mask: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure_crops([Cut("a", 0, 0, np.ones((1, 1), bool)), Cut("a", row, 0, mask)], np.zeros((5, 5), np.uint8), 6)


def _crowded(side: int, count: int) -> np.ndarray:
    """A map of ``side`` x ``side`` blocks with ``count`` labels, each a tile of the grid."""
    across = math.isqrt(count - 1) + 1
    tile = side // across
    numbers = np.arange(across * across).reshape(across, across) + 1
    numbers[numbers > count] = 0
    labels = np.zeros((side, side), np.int32)
    labels[: across * tile, : across * tile] = np.kron(numbers, np.ones((tile, tile), np.int32))
    return labels


def test_65535_touching_labels_are_measured_and_each_is_its_tile() -> None:
    labels = _crowded(1024, 65535)
    present, rows = measure_labels(labels, _noise(labels.shape, 0), 6)
    assert present.tolist() == list(range(1, 65536))
    assert (rows["area_px"] == 16).all() and (rows["solidity"] == 1).all()


def test_labels_strewn_over_the_whole_map_are_no_slower_than_a_pixel_each() -> None:
    labels = np.random.default_rng(0).integers(0, 65536, (512, 512)).astype(np.int32)
    begun = time.perf_counter()
    present, rows = measure_labels(labels, _noise(labels.shape, 0), 6)
    assert time.perf_counter() - begun < 20
    assert rows["area_px"].sum() == np.count_nonzero(labels)
    assert np.array_equal(np.bincount(labels.ravel(), minlength=65536)[present], rows["area_px"])


def test_components_of_noise_are_measured_without_nan_where_a_value_is_always_there() -> None:
    labels = components(np.random.default_rng(1).random((256, 256)) < 0.4, connectivity=2)
    _, rows = measure_labels(labels, _noise(labels.shape, 0), 6)
    always = ("equivalent_diameter_px", "solidity", "feret_max_px", "perimeter_px", "circularity", "convexity", "mean", "mad")
    assert all(np.isfinite(rows[name]).all() for name in always)
    assert (rows["feret_min_px"] <= rows["feret_max_px"]).all()


def test_the_machine_code_lies_outside_the_tree_and_another_process_finds_it(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "import stages.anchor.derive\n"
        "assert 'numba' not in sys.modules\n"
        "from stages.anchor.measure import _kernels\n"
        "driver = _kernels()\n"
        "print(sum(driver.measure_runs.stats.cache_hits.values()), driver.measure_runs.stats.cache_path)\n"
    )
    cache = {key: value for key, value in os.environ.items() if key not in ("NUMBA_CACHE_DIR",)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env=cache)
    again = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env=cache)
    hits, folder = again.stdout.split(maxsplit=1)
    assert int(hits) == 1
    assert not Path(folder.strip()).is_relative_to(ROOT) and folder == done.stdout.split(maxsplit=1)[1]
