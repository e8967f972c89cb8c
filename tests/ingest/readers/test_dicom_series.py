"""DICOM series as volumes: order, units, geometry, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGLosslessSV1

from stages.core.geometry import decode_mask
from stages.core.records import Sample
from stages.core.volume import window_to_8bit
from tests.ingest.readers.dicom_sources import (
    AXIAL,
    CORONAL,
    SPACING,
    block_mask,
    ct_values,
    dicom_card,
    pixels_of,
    shown_hu,
    uid,
    write_rtstruct,
    write_seg,
    write_series,
)
from tests.ingest.sources import ingest_folder

BOX = (1, 4, 6, 16, 4, 20)


def liver_case(folder: Path, hu: np.ndarray | None = None, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """A series with one liver; values and mask (slices, rows, columns) along the normal."""
    hu = ct_values() if hu is None else hu
    mask = block_mask(hu.shape, BOX)
    write_seg(folder / "root/seg.dcm", write_series(folder / "root/ct", hu, **options), {"Liver": mask})
    return hu, mask


def samples_of(folder: Path, content: dict[str, Any], **changes: Any) -> list[Sample]:
    found, results = ingest_folder(folder, content, **changes)
    errors = [*found.errors, *(error for result in results for error in (*result.lost, *result.partial))]
    assert errors == []
    return sorted((sample for result in results for sample in result.samples), key=lambda sample: sample.slice_index or 0)


def fault_of(folder: Path, content: dict[str, Any], **changes: Any) -> tuple[str, str]:
    found, results = ingest_folder(folder, content, **changes)
    (error,) = [*found.errors, *(error for result in results for error in (*result.lost, *result.partial))]
    return error.kind, error.cause


def expected(hu: np.ndarray) -> np.ndarray:
    return window_to_8bit(shown_hu(hu), -150, 250)


def test_slices_are_sorted_by_position_and_not_by_name_or_number(tmp_path: Path) -> None:
    hu, mask = liver_case(tmp_path)
    samples = samples_of(tmp_path, dicom_card())
    assert [sample.slice_index for sample in samples] == [1, 2, 3]
    for sample in samples:
        assert np.array_equal(pixels_of(sample), expected(hu[sample.slice_index]))
        assert np.array_equal(decode_mask(sample.objects[0].mask_rle), mask[sample.slice_index])
        assert (sample.spacing_mm, sample.image_left_is, sample.plane) == (list(SPACING), "patient_right", "axial")


def test_a_series_that_runs_from_head_to_feet_and_right_to_left_shows_the_same_pictures(tmp_path: Path) -> None:
    """The same patient scanned with columns from left to right of the patient and slices downwards."""
    hu, mask = liver_case(tmp_path, orientation=(-1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    samples = samples_of(tmp_path, dicom_card())
    for sample in samples:
        own = hu.shape[0] - 1 - sample.slice_index  # the normal points to the feet
        assert np.array_equal(pixels_of(sample), expected(hu[own][:, ::-1]))
        assert np.array_equal(decode_mask(sample.objects[0].mask_rle), mask[own][:, ::-1])
        assert sample.image_left_is == "patient_right"


def test_a_coronal_series_is_shown_with_the_head_up_and_the_right_side_left(tmp_path: Path) -> None:
    hu, mask = liver_case(tmp_path, orientation=CORONAL)
    samples = samples_of(tmp_path, dicom_card(plane="coronal"))
    assert [sample.slice_index for sample in samples] == [1, 2, 3]
    for sample in samples:
        assert np.array_equal(pixels_of(sample), expected(hu[sample.slice_index]))
        assert np.array_equal(decode_mask(sample.objects[0].mask_rle), mask[sample.slice_index])
        assert (sample.spacing_mm, sample.image_left_is) == (list(SPACING), "patient_right")


def test_a_coronal_series_can_be_cut_axially(tmp_path: Path) -> None:
    hu, _ = liver_case(tmp_path, orientation=CORONAL)
    sample = samples_of(tmp_path, dicom_card(plane="axial"))[0]
    row = hu.shape[1] - 1 - sample.slice_index  # rows of a coronal slice run to the feet
    assert np.array_equal(pixels_of(sample), expected(hu[:, row]))  # slices run to the back, as rows of an axial picture do
    assert sample.spacing_mm == pytest.approx([2.5, SPACING[1]])


@pytest.mark.parametrize(("degrees", "side"), [(0, "patient_right"), (20, "patient_right"), (40, None)])
def test_an_oblique_series_names_sides_up_to_thirty_degrees(tmp_path: Path, degrees: float, side: str | None) -> None:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    hu, mask = liver_case(tmp_path, orientation=(c, s, 0.0, -s, c, 0.0))
    samples = samples_of(tmp_path, dicom_card())
    assert {sample.image_left_is for sample in samples} == {side}
    assert np.array_equal(decode_mask(samples[0].objects[0].mask_rle), mask[1])
    assert np.array_equal(pixels_of(samples[0]), expected(hu[1]))


def test_unsigned_values_give_the_same_hounsfield_units(tmp_path: Path) -> None:
    hu, _ = liver_case(tmp_path, dtype=np.uint16)
    assert np.array_equal(pixels_of(samples_of(tmp_path, dicom_card())[0]), expected(hu[1]))


def test_a_slice_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    liver_case(tmp_path)
    (tmp_path / "root/ct/003").unlink()
    kind, cause = fault_of(tmp_path, dicom_card())
    assert kind == "missing_slices"
    assert "1 slices are missing: 5.000 mm between neighbours here, 2.500 mm elsewhere" in cause


@pytest.mark.parametrize(("shift", "flags", "fault"), [(0.1, ["uneven_spacing"], None), (0.6, [], "uneven_slices")])
def test_uneven_slices_are_flagged_within_a_tenth_and_refused_beyond(tmp_path: Path, shift: float, flags: list[str], fault: str | None) -> None:
    places = np.array([[0, 0, height] for height in (0, 2.5, 5, 7.5 + shift, 10)], float)
    liver_case(tmp_path, positions=places)
    if fault:
        assert fault_of(tmp_path, dicom_card())[0] == fault
    else:
        assert samples_of(tmp_path, dicom_card())[0].flags == flags


def test_a_tilted_gantry_is_flagged_and_not_cut_across_its_slices(tmp_path: Path) -> None:
    places = np.array([[0, 0.6 * number, 2.5 * number] for number in range(5)])
    hu, _ = liver_case(tmp_path, positions=places)
    sample = samples_of(tmp_path, dicom_card())[0]
    assert sample.flags == ["gantry_tilt"]
    assert np.array_equal(pixels_of(sample), expected(hu[1]))
    kind, cause = fault_of(tmp_path, dicom_card(plane="coronal"))
    assert (kind, "set `plane: axial`" in cause) == ("sheared_grid", True)


def test_two_phases_in_one_series_are_refused_unless_the_card_chooses_one(tmp_path: Path) -> None:
    hu = ct_values()
    both = np.concatenate([hu, hu[::-1] // 2])
    places = np.array([[0, 0, 2.5 * number] for number in [*range(5), *range(4, -1, -1)]])
    series = write_series(tmp_path / "root/ct", both, positions=places)
    write_seg(tmp_path / "root/seg.dcm", series[:5], {"Liver": block_mask(hu.shape, BOX)})
    kind, cause = fault_of(tmp_path, dicom_card())
    assert (kind, "2 frames at 5 places" in cause) == ("not_3d", True)
    chosen = samples_of(tmp_path, dicom_card(channel=1))
    assert np.array_equal(pixels_of(chosen[0]), expected(hu[1]))  # numbers run down: the first five have the higher ones


def test_a_localiser_in_the_series_is_named(tmp_path: Path) -> None:
    liver_case(tmp_path)
    path = tmp_path / "root/ct/001"
    dataset = pydicom.dcmread(path)
    dataset.ImageOrientationPatient = list(CORONAL)
    dataset.save_as(path)
    kind, cause = fault_of(tmp_path, dicom_card())
    assert (kind, "a localiser" in cause) == ("mixed_series", True)


def test_series_in_one_folder_are_told_apart_by_their_headers(tmp_path: Path) -> None:
    hu = ct_values()
    first = write_series(tmp_path / "root/a", hu, series="one")
    second = write_series(tmp_path / "root/b", ct_values(seed=1), series="two", PatientID="another")
    for number, path in enumerate([*first, *second]):
        shutil.move(path, tmp_path / f"root/IM{number:04d}")
    every = sorted((tmp_path / "root").glob("IM*"))
    write_seg(tmp_path / "root/seg1", every[:5], {"Liver": block_mask(hu.shape, BOX)})
    write_seg(tmp_path / "root/seg2", every[5:], {"Liver": block_mask(hu.shape, (2, 3, 6, 16, 4, 20))})
    (tmp_path / "root/DICOMDIR").write_bytes(b"an index that nobody needs")
    samples = samples_of(tmp_path, dicom_card())
    assert len({sample.case_id for sample in samples}) == len({sample.patient_id for sample in samples}) == 2
    assert sorted(len([s for s in samples if s.case_id == case]) for case in {s.case_id for s in samples}) == [1, 3]


def test_the_window_of_the_header_is_used_where_the_card_says_so(tmp_path: Path) -> None:
    hu, _ = liver_case(tmp_path, WindowCenter=[60, 500], WindowWidth=[100, 2000])
    sample = samples_of(tmp_path, dicom_card(intensity={"kind": "header"}))[0]
    assert np.array_equal(pixels_of(sample), window_to_8bit(shown_hu(hu[1]), 10, 110))
    assert '"level": 60.0' in sample.transform


def test_a_missing_window_in_the_header_is_flagged(tmp_path: Path) -> None:
    liver_case(tmp_path)
    assert samples_of(tmp_path, dicom_card(intensity={"kind": "header"}))[0].flags == ["no_window_in_header"]


def test_inverted_magnetic_resonance_is_turned_and_inverted_ct_is_not(tmp_path: Path) -> None:
    for name, modality in (("ct", "CT"), ("mr", "MR")):
        hu, _ = liver_case(tmp_path / name)
        for path in (tmp_path / name / "root/ct").iterdir():
            dataset = pydicom.dcmread(path)
            dataset.PhotometricInterpretation, dataset.Modality = "MONOCHROME1", modality
            dataset.save_as(path)
    assert np.array_equal(pixels_of(samples_of(tmp_path / "ct", dicom_card())[0]), expected(hu[1]))
    assert np.array_equal(pixels_of(samples_of(tmp_path / "mr", dicom_card())[0]), 255 - expected(hu[1]))


def test_an_enhanced_multi_frame_file_is_a_volume(tmp_path: Path) -> None:
    from highdicom.legacy import LegacyConvertedEnhancedCTImage

    hu = ct_values()
    paths = write_series(tmp_path / "classic", hu)
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.save_as(path)
    enhanced = LegacyConvertedEnhancedCTImage([pydicom.dcmread(path) for path in paths], uid("enhanced series"), 2, uid("enhanced"), 1)
    (tmp_path / "root").mkdir()
    enhanced.save_as(tmp_path / "root/enhanced.dcm")
    mask = block_mask(hu.shape, BOX)
    contour = outline(paths[2], 6, 16, 4, 20)
    write_rtstruct(tmp_path / "root/rt.dcm", [tmp_path / "root/enhanced.dcm"], {"Liver": [contour]})
    (sample,) = samples_of(tmp_path, dicom_card())
    assert np.array_equal(pixels_of(sample), expected(hu[2]))
    assert np.array_equal(decode_mask(sample.objects[0].mask_rle), mask[2])


def outline(path: Path, r0: int, r1: int, c0: int, c1: int) -> np.ndarray:
    """Corners in millimetres of the pixel edges of a box [r0, r1) x [c0, c1) of a slice."""
    dataset = pydicom.dcmread(path)
    right, down = np.array(dataset.ImageOrientationPatient[:3], float), np.array(dataset.ImageOrientationPatient[3:], float)
    corners = [(r0, c0), (r0, c1), (r1, c1), (r1, c0)]
    return np.array([np.array(dataset.ImagePositionPatient, float) + (r - 0.5) * SPACING[0] * down + (c - 0.5) * SPACING[1] * right for r, c in corners])


@pytest.mark.parametrize("keep", [0, 100, 700])
def test_a_truncated_file_is_a_fault_with_its_name(tmp_path: Path, keep: int) -> None:
    liver_case(tmp_path)
    path = tmp_path / "root/ct/003"
    path.write_bytes(path.read_bytes()[:keep])
    found, results = ingest_folder(tmp_path, dicom_card())
    errors = {(error.kind, error.file) for error in [*found.errors, *(e for r in results for e in r.lost)]}
    assert ("unreadable_image", "ct/003") in errors


def test_pixels_cut_short_are_a_fault(tmp_path: Path) -> None:
    liver_case(tmp_path)
    path = tmp_path / "root/ct/003"
    path.write_bytes(path.read_bytes()[:-200])
    assert fault_of(tmp_path, dicom_card())[0] == "unreadable_image"


def test_a_compression_without_decoder_names_itself_and_the_remedy(tmp_path: Path) -> None:
    from pydicom.encaps import encapsulate

    liver_case(tmp_path)
    path = tmp_path / "root/ct/003"
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    dataset.PixelData = encapsulate([b"\xff\xd8 nothing that can be read \xff\xd9"])
    dataset.save_as(path)
    kind, cause = fault_of(tmp_path, dicom_card())
    assert kind == "undecodable_syntax"
    assert "JPEG Lossless" in cause and "gdcmconv --raw" in cause and "pylibjpeg" in cause


@pytest.mark.parametrize(
    ("keyword", "value", "kind"),
    [
        ("PixelSpacing", [0, 1], "bad_spacing"),
        ("PixelSpacing", None, "unreadable_image"),
        ("RescaleIntercept", None, "unreadable_image"),
        ("RescaleSlope", 0, "unreadable_image"),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "geometry_mismatch"),
    ],
)
def test_headers_without_a_usable_geometry_or_unit_are_faults(tmp_path: Path, keyword: str, value: Any, kind: str) -> None:
    liver_case(tmp_path)
    path = tmp_path / "root/ct/003"
    dataset = pydicom.dcmread(path)
    setattr(dataset, keyword, value)
    dataset.save_as(path)
    assert fault_of(tmp_path, dicom_card())[0] == kind


def test_a_series_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    liver_case(tmp_path)
    assert fault_of(tmp_path, dicom_card(), max_pixels=300)[0] == "too_large"


def test_a_series_that_no_mask_names_and_a_mask_without_its_series_are_errors(tmp_path: Path) -> None:
    hu, _ = liver_case(tmp_path)
    write_series(tmp_path / "root/other", hu, series="two", study="another")
    gone = write_series(tmp_path / "gone", hu, series="three", study="third")
    write_seg(tmp_path / "root/orphan.dcm", gone, {"Liver": block_mask(hu.shape, BOX)})
    found, _ = ingest_folder(tmp_path, dicom_card())
    assert sorted(error.kind for error in found.errors) == ["image_without_mask", "mask_without_image"]
    assert len(found.cases) == 1


def test_axial_is_the_default_orientation_of_the_tests() -> None:
    assert np.array_equal(np.cross(AXIAL[:3], AXIAL[3:]), [0, 0, 1])
