"""Contour text files over pictures and over slices of volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ingest.readers.reading import boxes_of, faults_of, masks_of, samples_of
from tests.ingest.sources import card_content, grey, save
from tests.nifti import write_nifti

LABELS = {"heart": {"sources": ["outer"], "semantic": False}, "polyp": {"sources": ["inner"], "semantic": False}}


def card(**changes: Any) -> dict[str, Any]:
    files = {"image": ["{case}/{slice}.png"], "mask": ["{case}/{slice}_{label:inner|outer}.txt"], "other": []}
    base = {"reader": "contour_text", "files": files, "labels": LABELS, "annotated_labels": ["heart", "polyp"], "contours": {"pixel_centre": 0.5}}
    return card_content(**(base | changes))


def write(root: Path, text: str, label: str = "outer", number: str = "003") -> None:
    save(root / f"p1/{number}.png", grey(seed=int(number)))
    (root / f"p1/{number}_{label}.txt").write_text(text)


@pytest.mark.parametrize("separator", [" ", ",", ", ", "\t", " ; "])
def test_points_are_read_with_any_separator(tmp_path: Path, separator: str) -> None:
    points = [(10, 5), (20, 5), (20, 15), (10, 15)]
    write(tmp_path / "root", "# x y\n" + "\n".join(f"{x}{separator}{y:.2f}" for x, y in points) + "\n")
    (sample,) = samples_of(tmp_path, card())
    assert boxes_of(sample) == {("heart", 0): [10, 5, 20, 15]}
    assert sample.sample_id == "tiny/p1/003"


def test_a_contour_inside_another_is_a_hole_and_labels_are_files(tmp_path: Path) -> None:
    write(tmp_path / "root", "0 0\n20 0\n20 20\n0 20\n\n5 5\n10 5\n10 10\n5 10\n")
    write(tmp_path / "root", "5 5\n10 5\n10 10\n5 10\n", label="inner")
    (sample,) = samples_of(tmp_path, card())
    outer, inner = masks_of(sample)["heart", 0], masks_of(sample)["polyp", 0]
    assert outer.sum() == 400 - 25 and inner.sum() == 25 and not (outer & inner).any()


def test_the_centre_of_a_pixel_is_where_the_card_says(tmp_path: Path) -> None:
    write(tmp_path / "root", "0.4 0.4\n3.6 0.4\n3.6 2.6\n0.4 2.6\n")
    (edges,) = samples_of(tmp_path, card(), min_object_px=1)
    (centres,) = samples_of(tmp_path, card(contours={"pixel_centre": 0.0}), min_object_px=1)
    assert boxes_of(edges) == {("heart", 0): [0, 0, 4, 3]}
    assert boxes_of(centres) == {("heart", 0): [1, 1, 4, 3]}


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [
        ("1 1\n5 5\n", "bad_polygon", "2 points"),
        ("1 1\n5 5\n9 five\n", "bad_annotations", "line 3"),
        ("1 1\n5 5 5\n9 9\n", "bad_annotations", "line 2"),
        ("", "unreadable_image", "empty (0 bytes)"),
        ("\n\n", "bad_polygon", "no points"),
        ("1 1\nnan 5\n9 9\n", "bad_polygon", "finite"),
        ("100 1\n150 5\n190 9\n", "bad_polygon", "outside the image"),
    ],
)
def test_a_faulty_file_is_named_with_its_line(tmp_path: Path, text: str, kind: str, word: str) -> None:
    write(tmp_path / "root", "0 0\n20 0\n20 20\n0 20\n", label="inner")
    write(tmp_path / "root", text)
    (fault,) = faults_of(tmp_path, card())
    assert (fault.kind, fault.file) == (kind, "p1/003_outer.txt") and word in fault.cause


def test_a_binary_file_is_no_text(tmp_path: Path) -> None:
    write(tmp_path / "root", "0 0\n20 0\n20 20\n0 20\n", label="inner")
    write(tmp_path / "root", "x")
    (tmp_path / "root/p1/003_outer.txt").write_bytes(b"\xff\xfe\x00\x01")
    (fault,) = faults_of(tmp_path, card())
    assert fault.kind == "bad_annotations" and "no text file" in fault.cause


def volume_card(**changes: Any) -> dict[str, Any]:
    files = {"image": ["{case}.nii.gz"], "mask": ["{case}/{slice:[0-9]+}_{label:inner|outer}.txt"], "other": []}
    base = {"files": files, "plane": "axial", "intensity": {"kind": "window", "level": 50, "width": 400}, "modality": "MR", "image_left_is": None}
    return card(**(base | {"contours": {"pixel_centre": 0.5, "first_slice": 1}} | changes))


def write_volume(root: Path) -> None:
    """A volume of 40 x 24 x 9 voxels in RAS with contours on slices 4 (both) and 7 (outer alone), counted from 1."""
    affine = np.array([[1.0, 0, 0, -20], [0, 2.0, 0, -15], [0, 0, 4.0, 0], [0, 0, 0, 1]])
    values = np.random.default_rng(1).normal(40, 10, (40, 24, 9)).astype(np.float32)
    write_nifti(root / "p1.nii.gz", values, affine)
    (root / "p1").mkdir()
    (root / "p1/004_outer.txt").write_text("4 6\n16 6\n16 18\n4 18\n")
    (root / "p1/004_inner.txt").write_text("6 8\n12 8\n12 14\n6 14\n")
    (root / "p1/7_outer.txt").write_text("4 6\n14 6\n14 16\n4 16\n")


def test_contours_lie_on_the_slices_that_their_names_state(tmp_path: Path) -> None:
    write_volume(tmp_path / "root")
    first, second = samples_of(tmp_path, volume_card(), max_slices_per_volume=5)
    assert [first.slice_index, second.slice_index] == [3, 6]
    assert boxes_of(first) == {("heart", 0): [4, 6, 16, 18], ("polyp", 0): [6, 8, 12, 14]}
    assert first.annotated_labels == ["heart", "polyp"] and second.annotated_labels == ["heart"]
    assert first.image_left_is == "patient_right" and first.spacing_mm == [2.0, 1.0]


def test_a_slice_outside_the_volume_is_a_fault_and_the_others_stay(tmp_path: Path) -> None:
    write_volume(tmp_path / "root")
    (tmp_path / "root/p1/10_outer.txt").write_text("4 6\n14 6\n14 16\n4 16\n")
    assert len(samples_of(tmp_path, volume_card(), max_slices_per_volume=5)) == 2
    (fault,) = faults_of(tmp_path, volume_card())
    assert (fault.kind, fault.file) == ("mask_outside", "p1/10_outer.txt") and "slice 10 of 9, counted from 1" in fault.cause


def test_over_volumes_the_pattern_needs_the_slice(tmp_path: Path) -> None:
    write_volume(tmp_path / "root")
    files = {"image": ["{case}.nii.gz"], "mask": ["{case}/{number:[0-9]+}_{label:inner|outer}.txt"], "other": []}
    (fault,) = faults_of(tmp_path, volume_card(files=files))
    assert fault.kind == "no_object" and "{slice:[0-9]+}" in fault.cause
