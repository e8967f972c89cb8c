"""Volumes: orientation against hand-written NIfTI headers, and the faults that ITK passes over."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest

from stages.core.volume import VolumeError, plane_slice, plane_spacing, read_volume, same_geometry, window_to_8bit, write_volume
from tests.nifti import nifti_bytes, reoriented, write_nifti

# RAS+: i grows to the right, j to the front, k to the head; 2 x 3 x 5 mm.
RAS = np.array([[2.0, 0, 0, -10], [0, 3.0, 0, -12], [0, 0, 5.0, 7], [0, 0, 0, 1]])
ORIENTATIONS = [(order, flips) for order in itertools.permutations(range(3)) for flips in itertools.product((False, True), repeat=3)]


def landmark_volume() -> np.ndarray:
    """[i, j, k] in RAS+ with distinct marks at the patient's left, front and head end."""
    array = np.zeros((6, 7, 4), np.int16)
    array[0, 3, 1] = 100  # i = 0 is the patient's left
    array[3, 6, 1] = 200  # j = 6 is the front
    array[3, 3, 3] = 300  # k = 3 is the head end
    return array


def read(path: Path):
    return read_volume(path, 10**6)


def test_a_ras_file_comes_out_in_lps_with_its_marks_where_the_affine_puts_them(tmp_path: Path) -> None:
    volume = read(write_nifti(tmp_path / "v.nii.gz", landmark_volume(), RAS))
    assert volume.source_axes == "RAS"
    assert volume.array.shape == (4, 7, 6)
    assert volume.spacing_mm == [5.0, 3.0, 2.0]
    assert volume.array[1, 3, 5] == 100  # x grows to the patient's left
    assert volume.array[1, 0, 2] == 200  # y grows to the back
    assert volume.array[3, 3, 2] == 300  # z grows to the head


@pytest.mark.parametrize(("order", "flips"), ORIENTATIONS)
def test_all_48_axis_orders_of_one_patient_read_as_the_same_volume(tmp_path: Path, order: tuple, flips: tuple) -> None:
    expected = read(write_nifti(tmp_path / "ras.nii", landmark_volume(), RAS))
    found = read(write_nifti(tmp_path / "other.nii", *reoriented(landmark_volume(), RAS, order, flips)))
    assert np.array_equal(found.array, expected.array)
    assert found.spacing_mm == expected.spacing_mm
    assert same_geometry(found, expected)


def test_the_source_axes_are_named_as_the_affine_states_them(tmp_path: Path) -> None:
    lps = reoriented(landmark_volume(), RAS, (0, 1, 2), (True, True, False))
    assert read(write_nifti(tmp_path / "lps.nii", *lps)).source_axes == "LPS"


def test_an_axial_slice_shows_the_patients_left_at_the_right_and_the_front_at_the_top(tmp_path: Path) -> None:
    volume = read(write_nifti(tmp_path / "v.nii", landmark_volume(), RAS))
    picture = plane_slice(volume.array, "axial", 1)
    assert picture[3, -1] == 100
    assert picture[0, 2] == 200
    assert plane_spacing(volume.spacing_mm, "axial") == [3.0, 2.0]


def test_a_coronal_slice_shows_the_head_at_the_top_and_the_patients_left_at_the_right(tmp_path: Path) -> None:
    volume = read(write_nifti(tmp_path / "v.nii", landmark_volume(), RAS))
    picture = plane_slice(volume.array, "coronal", 3)
    assert picture[0, 2] == 300
    assert picture[2, -1] == 100
    assert plane_spacing(volume.spacing_mm, "coronal") == [5.0, 2.0]


def test_a_sagittal_slice_shows_the_front_at_the_left_and_the_head_at_the_top(tmp_path: Path) -> None:
    volume = read(write_nifti(tmp_path / "v.nii", landmark_volume(), RAS))
    picture = plane_slice(volume.array, "sagittal", 2)
    assert picture[0, 3] == 300
    assert picture[2, 0] == 200
    assert plane_spacing(volume.spacing_mm, "sagittal") == [5.0, 3.0]


def test_a_header_without_orientation_is_said_to_state_none(tmp_path: Path) -> None:
    assert read(write_nifti(tmp_path / "v.nii", landmark_volume(), RAS, form_code=0)).source_axes is None


@pytest.mark.parametrize("name", ["cut.nii", "cut.nii.gz"])
def test_a_truncated_file_is_refused_and_not_filled_with_zeros(tmp_path: Path, name: str) -> None:
    content = nifti_bytes(landmark_volume(), RAS)
    whole = gzip.compress(content) if name.endswith("gz") else content
    (tmp_path / name).write_bytes(whole[: len(whole) - 30])
    with pytest.raises(VolumeError, match="truncated") as caught:
        read(tmp_path / name)
    assert caught.value.kind == "unreadable_image"


def test_a_file_that_is_no_volume_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "v.nii.gz").write_bytes(b"not a volume")
    with pytest.raises(VolumeError) as caught:
        read(tmp_path / "v.nii.gz")
    assert caught.value.kind == "unreadable_image"


def test_a_4d_volume_is_refused(tmp_path: Path) -> None:
    array = np.zeros((4, 4, 4, 2), np.int16)
    with pytest.raises(VolumeError, match="4 x 4 x 4 x 2") as caught:
        read(write_nifti(tmp_path / "v.nii", array, RAS))
    assert caught.value.kind == "not_3d"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinite_voxels_are_refused(tmp_path: Path, bad: float) -> None:
    array = landmark_volume().astype(np.float32)
    array[0, 0, 0] = bad
    with pytest.raises(VolumeError, match="1 voxels") as caught:
        read(write_nifti(tmp_path / "v.nii", array, RAS))
    assert caught.value.kind == "not_finite"


@pytest.mark.parametrize("pixdim", [(-2.0, 3.0, 5.0), (4.0, 3.0, 5.0), (0.0, 3.0, 5.0), (float("nan"), 3.0, 5.0)])
def test_spacing_that_is_negative_or_contradicts_the_affine_is_refused(tmp_path: Path, pixdim: tuple) -> None:
    with pytest.raises(VolumeError, match="spacing") as caught:
        read(write_nifti(tmp_path / "v.nii", landmark_volume(), RAS, pixdim=pixdim))
    assert caught.value.kind == "bad_spacing"


def test_a_volume_over_the_limit_is_refused_before_its_voxels_are_read(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="168 voxels") as caught:
        read_volume(write_nifti(tmp_path / "v.nii", landmark_volume(), RAS), 100)
    assert caught.value.kind == "too_large"


def test_a_shifted_grid_is_not_the_same_geometry(tmp_path: Path) -> None:
    shifted = RAS.copy()
    shifted[0, 3] += 1.0
    first = read(write_nifti(tmp_path / "a.nii", landmark_volume(), RAS))
    assert not same_geometry(first, read(write_nifti(tmp_path / "b.nii", landmark_volume(), shifted)))


def test_a_window_maps_its_ends_to_black_and_white_and_clips_beyond() -> None:
    values = np.array([-200.0, -115.0, 60.0, 235.0, 900.0])
    assert window_to_8bit(values, -115, 235).tolist() == [0, 0, 128, 255, 255]
    with pytest.raises(ValueError, match="low < high"):
        window_to_8bit(values, 5, 5)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".mha"])
def test_a_volume_that_the_disk_did_not_take_whole_is_an_error_and_no_file(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import SimpleITK as sitk

    array, whole = np.arange(24, dtype=np.int16).reshape(2, 3, 4), sitk.WriteImage
    write_volume(tmp_path / f"whole{suffix}", array, (1.0, 1.0, 1.0), "RAS")

    def cut_short(image: object, path: str, **options: object) -> None:
        whole(image * 0, path, **options)

    monkeypatch.setattr(sitk, "WriteImage", cut_short)
    with pytest.raises(RuntimeError, match="reads back different"):
        write_volume(tmp_path / f"cut{suffix}", array, (1.0, 1.0, 1.0), "RAS")
    assert not (tmp_path / f"cut{suffix}").exists()
