"""NPZ: axes, spacing, masks beside or inside, and arrays that are refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stages.core.params import ParamError
from tests.ingest.readers.reading import boxes_of, faults_of, samples_of
from tests.ingest.sources import block, card_content, grey

ARRAYS = {"image": "img", "mask": "gt", "axes": "yx"}


def card(arrays: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    files = {"image": ["{case}.npz"], "mask": [], "other": []}
    labels = {"nerve": {"sources": [1], "semantic": True}}
    base = {"reader": "npz_arrays", "files": files, "labels": labels, "annotated_labels": ["nerve"], "arrays": ARRAYS | (arrays or {})}
    return card_content(**(base | changes))


def write(root: Path, name: str = "a", **arrays: Any) -> None:
    root.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(root / f"{name}.npz", **({"img": grey(), "gt": block((10, 5, 20, 15), value=1)} | arrays))


def pixels_of(sample: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(sample.image)))


def test_a_grey_picture_and_its_label_map(tmp_path: Path) -> None:
    write(tmp_path / "root")
    (sample,) = samples_of(tmp_path, card())
    assert boxes_of(sample) == {("nerve", 0): [10, 5, 20, 15]}
    assert np.array_equal(pixels_of(sample), grey()) and sample.spacing_mm is None


def test_colours_spacing_and_a_boolean_mask(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    write(tmp_path / "root", img=colours, gt=block((10, 5, 20, 15)) > 0, mm=np.array([0.5, 0.25]))
    (sample,) = samples_of(tmp_path, card({"axes": "yxc", "spacing": "mm"}))
    assert np.array_equal(pixels_of(sample), colours) and sample.spacing_mm == [0.5, 0.25]


def test_masks_may_lie_in_files_of_their_own(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, "a_image")
    write(root, "a_label")
    files = {"image": ["{case}_image.npz"], "mask": ["{case}_label.npz"], "other": []}
    (sample,) = samples_of(tmp_path, card(files=files))
    assert [file.path for file in sample.source_files] == ["a_image.npz", "a_label.npz"]


def test_a_volume_is_cut_where_it_shows_most_and_its_sides_are_the_cards_word(tmp_path: Path) -> None:
    labels = np.zeros((7, 40, 60), np.uint8)
    labels[3, 5:15, 10:20], labels[5, 5:8, 10:13] = 1, 1
    image = np.arange(7 * 40 * 60, dtype=np.float32).reshape(7, 40, 60)
    write(tmp_path / "root", img=image, gt=labels, mm=np.array([3.0, 0.5, 0.25]))
    content = card({"axes": "zyx", "spacing": "mm"}, plane="axial", intensity={"kind": "percentiles", "low": 0.0, "high": 100.0}, modality="MR")
    (sample,) = samples_of(tmp_path, content, max_slices_per_volume=1)
    assert (sample.slice_index, sample.plane, sample.spacing_mm) == (3, "axial", [0.5, 0.25])
    assert boxes_of(sample) == {("nerve", 0): [10, 5, 20, 15]}
    assert sample.image_left_is == "patient_right"
    (unknown,) = samples_of(tmp_path, content | {"image_left_is": None}, max_slices_per_volume=1)
    assert unknown.image_left_is is None and "orientation_unknown" in unknown.flags


def test_python_objects_are_refused_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path / "root", gt=np.array([{"a": 1}], dtype=object))
    (fault,) = faults_of(tmp_path, card())
    assert (fault.kind, fault.file) == ("unsafe_content", "a.npz") and "runs code" in fault.cause


def test_an_array_over_the_limit_is_refused_by_its_header(tmp_path: Path) -> None:
    write(tmp_path / "root")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 10**6)})
    with zipfile.ZipFile(tmp_path / "root/a.npz", "w") as archive:
        archive.writestr("img.npy", header.getvalue())
        archive.writestr("gt.npy", header.getvalue())
    (fault,) = faults_of(tmp_path, card())
    assert fault.kind == "too_large" and "(1000000, 1000000)" in fault.cause


@pytest.mark.parametrize(
    ("arrays", "spec", "kind", "word"),
    [
        ({"gt": block((0, 0, 9, 9), value=1, width=61)}, {}, "mask_size", "(40, 61)"),
        ({"gt": np.full((40, 60), 0.5)}, {}, "bad_mask_values", "fractions"),
        ({"gt": np.full((40, 60), np.nan)}, {}, "bad_mask_values", "NaN"),
        ({"gt": np.zeros((40, 60), np.uint8)}, {}, "empty_mask", "background"),
        ({"gt": np.full((40, 60), 3)}, {}, "unknown_label", "'3'"),
        ({"img": np.full((40, 60), np.inf)}, {}, "not_finite", "infinite"),
        ({"img": np.full((40, 60), "x")}, {}, "unreadable_image", "numbers are needed"),
        ({"img": grey()[None]}, {}, "unreadable_image", "(1, 40, 60)"),
        ({}, {"mask": "seg"}, "bad_annotations", "no array 'seg' in it; there are img, gt"),
        ({"mm": np.array([1.0])}, {"spacing": "mm"}, "bad_spacing", "2 axes"),
        ({"mm": np.array([1.0, 0.0])}, {"spacing": "mm"}, "bad_spacing", "positive"),
    ],
)
def test_a_faulty_array_says_what_is_wrong(tmp_path: Path, arrays: dict, spec: dict, kind: str, word: str) -> None:
    write(tmp_path / "root", **arrays)
    (fault,) = faults_of(tmp_path, card(spec))
    assert (fault.kind, fault.file) == (kind, "a.npz") and word in fault.cause


@pytest.mark.parametrize("keep", [0, 100, -30])
def test_a_truncated_file_is_a_fault(tmp_path: Path, keep: int) -> None:
    write(tmp_path / "root")
    path = tmp_path / "root/a.npz"
    path.write_bytes(path.read_bytes()[:keep])
    (fault,) = faults_of(tmp_path, card())
    assert fault.kind == "unreadable_image"


def test_unknown_axes_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "root")
    with pytest.raises(ParamError, match="one of yx, yxc, zyx, got 'xy'"):
        samples_of(tmp_path, card({"axes": "xy"}))
