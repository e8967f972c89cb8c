"""SEG, RTSTRUCT and label maps on a series: every mask on its slice and its pixels, or a fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from skimage.draw import polygon2mask

from stages.core.geometry import decode_mask
from stages.core.records import Sample
from stages.core.volume import write_volume
from stages.ingest.readers.dicom_rtstruct import fill_contours
from tests.ingest.readers.dicom_sources import CORONAL, SPACING, block_mask, ct_values, dicom_card, uid, write_rtstruct, write_seg, write_series
from tests.ingest.readers.test_dicom_series import fault_of, outline, samples_of
from tests.ingest.sources import ingest_folder

SHAPE = (5, 24, 32)
LIVER = block_mask(SHAPE, (0, 3, 4, 20, 3, 25))
HEART = block_mask(SHAPE, (1, 2, 8, 16, 10, 30))


def masks_of(samples: list[Sample], label: str) -> dict[int | None, np.ndarray]:
    return {sample.slice_index: decode_mask(item.mask_rle) for sample in samples for item in sample.objects if item.label == label}


def test_overlapping_segments_in_sparse_frames_each_reach_their_slices(tmp_path: Path) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    write_seg(tmp_path / "root/seg.dcm", series, {"Liver": LIVER, "Heart": HEART}, omit_empty_frames=True)
    assert pydicom.dcmread(tmp_path / "root/seg.dcm").NumberOfFrames == 4
    samples = samples_of(tmp_path, dicom_card())
    livers, hearts = masks_of(samples, "liver"), masks_of(samples, "heart")
    assert (sorted(livers), sorted(hearts)) == ([0, 1, 2], [1])
    assert all(np.array_equal(mask, LIVER[index]) for index, mask in livers.items())
    assert np.array_equal(hearts[1], HEART[1])
    assert (livers[1] & hearts[1]).any()


def test_masks_agree_with_what_highdicom_reads_for_each_source_slice(tmp_path: Path) -> None:
    import highdicom as hd

    series = write_series(tmp_path / "root/ct", ct_values(), orientation=CORONAL)
    path = write_seg(tmp_path / "root/seg.dcm", series, {"Liver": LIVER, "Heart": HEART})
    peer = hd.seg.segread(path).get_pixels_by_source_instance([pydicom.dcmread(file).SOPInstanceUID for file in series])
    for number, label in enumerate(("liver", "heart")):
        for index, mask in masks_of(samples_of(tmp_path, dicom_card(plane="coronal")), label).items():
            assert np.array_equal(mask, peer[index, ..., number] > 0)


@pytest.mark.parametrize("kind", ["PROBABILITY", "OCCUPANCY"])
def test_a_fractional_segment_is_taken_from_one_half_on(tmp_path: Path, kind: str) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    share = LIVER.astype(np.float32) * 0.5
    share[:, :, 10:] *= 0.9
    write_seg(tmp_path / "root/seg.dcm", series, {"Liver": share}, kind="FRACTIONAL", fractional_type=kind, max_fractional_value=200)
    expected = LIVER.copy()
    expected[:, :, 10:] = False
    assert all(np.array_equal(mask, expected[index]) for index, mask in masks_of(samples_of(tmp_path, dicom_card()), "liver").items())


@pytest.mark.parametrize("source", ["Liver", "SCT:10200004", 1])
def test_a_segment_may_be_named_by_label_code_or_number(tmp_path: Path, source: str | int) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    write_seg(tmp_path / "root/seg.dcm", series, {"Liver": LIVER})
    labels = {"liver": {"sources": [source], "semantic": True}}
    samples = samples_of(tmp_path, dicom_card(labels=labels, annotated_labels=["liver"]))
    assert {item.label_source for sample in samples for item in sample.objects} == {str(source)}


def test_a_code_of_the_retired_scheme_is_known_by_its_snomed_ct_value(tmp_path: Path) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    path = write_seg(tmp_path / "root/seg.dcm", series, {"whatever": LIVER})
    dataset = pydicom.dcmread(path)
    code = dataset.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0]
    code.CodeValue, code.CodingSchemeDesignator = "T-62000", "SRT"
    dataset.save_as(path)
    assert samples_of(tmp_path, dicom_card())[0].objects[0].label_source == "SCT:10200004"


def test_an_unknown_segment_lists_its_names_and_the_nearest_of_the_card(tmp_path: Path) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    write_seg(tmp_path / "root/seg.dcm", series, {"Lever": LIVER})
    kind, cause = fault_of(tmp_path, dicom_card())
    assert kind == "unknown_label"
    assert "segment 'Lever' = 'SCT:" in cause and "nearest: Liver" in cause and "`ignored_sources`" in cause


def test_a_label_that_no_segment_declares_does_not_count_as_absent(tmp_path: Path) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    write_seg(tmp_path / "root/seg.dcm", series, {"Liver": LIVER})
    assert {tuple(sample.annotated_labels) for sample in samples_of(tmp_path, dicom_card())} == {("liver",)}


def test_a_segmentation_of_part_of_the_pixels_or_beside_them_is_a_fault(tmp_path: Path) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    path = write_seg(tmp_path / "root/seg.dcm", series, {"Liver": LIVER})
    dataset = pydicom.dcmread(path)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        place = frame.PlanePositionSequence[0].ImagePositionPatient
        place[0] = place[0] + SPACING[1]
    dataset.save_as(path)
    kind, cause = fault_of(tmp_path, dicom_card())
    assert (kind, "1.00 pixels beside its grid" in cause) == ("geometry_mismatch", True)


def test_frames_without_a_position_follow_the_instance_that_they_name(tmp_path: Path) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    path = write_seg(tmp_path / "root/seg.dcm", series, {"Liver": LIVER})
    dataset = pydicom.dcmread(path)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        del frame.PlanePositionSequence
    dataset.save_as(path)
    found = masks_of(samples_of(tmp_path, dicom_card()), "liver")
    assert sorted(found) == [0, 1, 2]
    assert all(np.array_equal(mask, LIVER[index]) for index, mask in found.items())


def test_contours_are_filled_by_pixel_centres_and_inner_ones_are_holes(tmp_path: Path) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    contours = [outline(series[2], 4, 20, 3, 25), outline(series[2], 8, 12, 10, 15)]
    write_rtstruct(tmp_path / "root/rt.dcm", series, {"Liver": contours, "Heart": [outline(series[1], 5, 15, 5, 15)]})
    samples = samples_of(tmp_path, dicom_card())
    expected = LIVER[2] & ~block_mask((1, 24, 32), (0, 1, 8, 12, 10, 15))[0]
    assert np.array_equal(masks_of(samples, "liver")[2], expected)
    assert sorted(masks_of(samples, "heart")) == [1]


def test_contours_of_a_coronal_series_follow_its_directions(tmp_path: Path) -> None:
    series = write_series(tmp_path / "root/ct", ct_values(), orientation=CORONAL)
    write_rtstruct(tmp_path / "root/rt.dcm", series, {"Liver": [outline(series[2], 4, 20, 3, 25)]})
    (sample,) = samples_of(tmp_path, dicom_card(plane="coronal", annotated_labels=["liver"]))
    assert np.array_equal(decode_mask(sample.objects[0].mask_rle), LIVER[2])


def test_structures_of_another_frame_of_reference_are_refused(tmp_path: Path) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    write_rtstruct(tmp_path / "root/rt.dcm", series, {"Liver": [outline(series[2], 4, 20, 3, 25)]}, frame=uid("elsewhere"))
    kind, cause = fault_of(tmp_path, dicom_card())
    assert (kind, "another frame of reference" in cause) == ("geometry_mismatch", True)


def test_a_contour_between_or_across_slices_is_refused(tmp_path: Path) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    write_rtstruct(tmp_path / "root/rt.dcm", series, {"Liver": [outline(series[0], 4, 20, 3, 25) - [0, 0, 2]]})
    assert fault_of(tmp_path, dicom_card())[0] == "geometry_mismatch"
    write_rtstruct(tmp_path / "root/rt.dcm", series, {"Liver": [outline(series[2], 4, 20, 3, 25) + [[0, 0, 0], [0, 0, 2], [0, 0, 0], [0, 0, 0]]]})
    assert fault_of(tmp_path, dicom_card())[0] == "geometry_mismatch"


def test_points_and_open_contours_are_left_out_with_a_flag(tmp_path: Path) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    path = write_rtstruct(tmp_path / "root/rt.dcm", series, {"Liver": [outline(series[2], 4, 20, 3, 25)]})
    dataset = pydicom.dcmread(path)
    point = Dataset()
    point.ContourGeometricType, point.NumberOfContourPoints, point.ContourData = "POINT", 1, [0, 0, 0]
    dataset.ROIContourSequence[0].ContourSequence.append(point)
    dataset.save_as(path)
    assert samples_of(tmp_path, dicom_card())[0].flags == ["open_contours_left_out"]


@given(st.lists(st.tuples(st.floats(-2, 12), st.floats(-2, 14)), min_size=3, max_size=3))
def test_a_filled_triangle_has_the_pixels_whose_centres_lie_inside(corners: list[tuple[float, float]]) -> None:
    points = np.round(np.array(corners), 2) + 0.0013  # no centre lies on an edge of such corners, save by a rare chance
    mine, peer = fill_contours([points], (10, 12)), polygon2mask((10, 12), points)
    different = np.argwhere(mine != peer)
    assert all(_distance_to_edges(place, points) < 1e-6 for place in different)


def _distance_to_edges(place: np.ndarray, points: np.ndarray) -> float:
    found = []
    for a, b in zip(points, np.roll(points, -1, axis=0), strict=True):
        along = b - a
        share = np.clip((place - a) @ along / max(along @ along, 1e-12), 0, 1)
        found.append(float(np.linalg.norm(place - a - share * along)))
    return min(found)


def test_areas_that_share_an_outline_through_pixel_centres_share_no_pixel() -> None:
    left, right = np.array([(1, 1), (1, 4), (6, 4), (6, 1)], float), np.array([(1, 4), (1, 9), (6, 9), (6, 4)], float)
    a, b = fill_contours([left], (10, 12)), fill_contours([right], (10, 12))
    assert not (a & b).any()
    assert (int(a.sum()), int(b.sum())) == (15, 25)
    assert a[1, 1] and not a[6, 1] and not a[1, 4]


@pytest.mark.parametrize("contour", [[(2.1, 2.2), (2.1, 2.8), (2.3, 2.5)], [(20, 3), (30, 3), (30, 9)]])
def test_a_contour_around_no_pixel_or_beside_the_image_marks_nothing(contour: list[tuple[float, float]]) -> None:
    assert not fill_contours([np.array(contour)], (10, 12)).any()


def test_a_keyhole_contour_leaves_its_hole() -> None:
    outer, hole = [(0.5, 0.5), (0.5, 8.5), (8.5, 8.5), (8.5, 0.5), (0.5, 0.5)], [(3.5, 3.5), (5.5, 3.5), (5.5, 5.5), (3.5, 5.5), (3.5, 3.5)]
    filled = fill_contours([np.array(outer + hole)], (10, 10))
    assert int(filled.sum()) == 64 - 4
    assert not filled[4:6, 4:6].any()


@pytest.mark.parametrize("ending", ["nii.gz", "nrrd"])
def test_a_label_volume_beside_the_series_is_used_on_the_same_grid(tmp_path: Path, ending: str) -> None:
    write_series(tmp_path / "root/ct", ct_values(), origin=(0.0, 0.0, 0.0))
    write_volume(tmp_path / f"root/labels.{ending}", (LIVER + 2 * HEART * ~LIVER).astype(np.uint8), (2.5, *SPACING), "RAS")
    labels = {"liver": {"sources": [1], "semantic": True}, "heart": {"sources": [2], "semantic": True}}
    found = masks_of(samples_of(tmp_path, dicom_card(labels=labels)), "liver")
    assert sorted(found) == [0, 1, 2]
    assert all(np.array_equal(mask, LIVER[index]) for index, mask in found.items())


def test_a_label_volume_on_another_grid_is_refused_or_resampled_as_the_card_says(tmp_path: Path) -> None:
    write_series(tmp_path / "root/ct", ct_values(), origin=(0.0, 0.0, 0.0))
    fine = np.repeat(LIVER.astype(np.uint8), 2, axis=2)
    write_volume(tmp_path / "root/labels.nrrd", fine, (2.5, SPACING[0], SPACING[1] / 2), "LPS")
    labels = {"liver": {"sources": [1], "semantic": True}}
    card = dicom_card(labels=labels, annotated_labels=["liver"])
    kind, cause = fault_of(tmp_path, card)
    assert (kind, "resample_masks: true" in cause) == ("geometry_mismatch", True)
    sample = samples_of(tmp_path, card | {"resample_masks": True})[0]
    assert (sample.flags, np.array_equal(decode_mask(sample.objects[0].mask_rle), LIVER[0])) == (["mask_resampled"], True)


def test_the_structure_of_a_label_volume_may_stand_in_its_name(tmp_path: Path) -> None:
    write_series(tmp_path / "root/ct", ct_values(), origin=(0.0, 0.0, 0.0))
    write_volume(tmp_path / "root/Liver.nii.gz", LIVER.astype(np.uint8), (2.5, *SPACING), "LPS")
    write_volume(tmp_path / "root/Heart.nii.gz", HEART.astype(np.uint8), (2.5, *SPACING), "LPS")
    files = {"image": ["ct/*"], "mask": ["{label}.nii.gz"], "other": []}
    samples = samples_of(tmp_path, dicom_card(files=files))
    assert (sorted(masks_of(samples, "liver")), sorted(masks_of(samples, "heart"))) == ([0, 1, 2], [1])


def test_a_label_map_segmentation_holds_all_segments_in_one_frame_a_slice(tmp_path: Path) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    write_seg(tmp_path / "root/seg.dcm", series, {"Liver": LIVER, "Heart": HEART & ~LIVER}, kind="LABELMAP")
    samples = samples_of(tmp_path, dicom_card())
    assert all(np.array_equal(mask, LIVER[index]) for index, mask in masks_of(samples, "liver").items())
    assert np.array_equal(masks_of(samples, "heart")[1], (HEART & ~LIVER)[1])


@pytest.mark.parametrize("target", ["root/ct/003", "root/seg.dcm", "root/rt.dcm"])
def test_damaged_bytes_are_faults_or_harmless_and_never_stop_the_run(tmp_path: Path, target: str) -> None:
    series = write_series(tmp_path / "root/ct", ct_values())
    write_seg(tmp_path / "root/seg.dcm", series, {"Liver": LIVER})
    write_rtstruct(tmp_path / "root/rt.dcm", series, {"Heart": [outline(series[1], 5, 15, 5, 15)]})
    path = tmp_path / target
    whole = path.read_bytes()
    draw = np.random.default_rng(5)
    for _ in range(40):
        content = bytearray(whole)
        for place in draw.integers(132, len(whole) - (2 * 24 * 32 if "ct" in target else 0), 12):
            content[place] = int(draw.integers(256))
        path.write_bytes(bytes(content))
        found, results = ingest_folder(tmp_path, dicom_card())
        errors = [*found.errors, *(error for result in results for error in result.lost)]
        assert errors or any(result.samples for result in results)
        assert all(error.cause for error in errors)
