"""Volumes and their labels in every documented layout and format, planes, sides, and what each fault becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from stages.core.geometry import decode_mask, tight_box
from stages.core.records import ItemError, Sample
from tests.ingest.sources import ingest_folder, volume_card
from tests.nifti import reoriented, write_nifti

# RAS+: 1 x 2 x 4 mm; i grows to the patient's right, j to the front, k to the head.
RAS = np.array([[1.0, 0, 0, -20], [0, 2.0, 0, -15], [0, 0, 4.0, 0], [0, 0, 0, 1]])
SHAPE = (40, 24, 9)
AXIAL_BOXES = {("liver", 0): [4, 6, 16, 18], ("liver lesion", 0): [7, 7, 12, 11]}


def body(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Image and labels [i, j, k]: a liver on the patient's right with a lesion at its front."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[24:36, 6:18, 2:7] = 1
    labels[28:33, 13:17, 3:6] = 2
    image = np.random.default_rng(seed).normal(40, 10, SHAPE) + 60 * (labels == 1) - 90 * (labels == 2)
    return image.astype(np.int16), labels


def turned(degrees: float, axes: tuple[int, int] = (0, 1)) -> np.ndarray:
    """The grid turned by an angle in the plane of two world axes."""
    turn, angle = np.eye(4), np.deg2rad(degrees)
    turn[np.ix_(axes, axes)] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ RAS


def itk_image(array_ijk: np.ndarray, affine: np.ndarray = RAS) -> sitk.Image:
    """The same patient as an ITK image (LPS world)."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array_ijk.transpose(2, 1, 0)))
    lps = np.diag([-1.0, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    return image


def save_itk(path: Path, array_ijk: np.ndarray, compress: bool = False, affine: np.ndarray = RAS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(itk_image(array_ijk, affine), str(path), compress)


def card(image: str, mask: str, **changes: Any) -> dict[str, Any]:
    files = {"image": [image], "mask": [mask], "other": changes.pop("other", [])}
    return volume_card(files=files, **changes)


def samples_of(folder: Path, content: dict, **limits: object) -> list[Sample]:
    found, results = ingest_folder(folder, content, **limits)
    assert found.errors + [error for result in results for error in (*result.lost, *result.partial)] == []
    assert found.unmatched == []
    return [sample for result in results for sample in result.samples]


def faults_of(folder: Path, content: dict, **limits: object) -> list[ItemError]:
    found, results = ingest_folder(folder, content, **limits)
    return found.errors + [error for result in results for error in (*result.lost, *result.partial)]


def boxes_of(sample: Sample) -> dict[tuple[str, int], list[float]]:
    return {(item.label, item.instance): tight_box(decode_mask(item.mask_rle)) for item in sample.objects}


def middle(samples: list[Sample]) -> Sample:
    return next(sample for sample in samples if sample.slice_index == 3)


# Formats


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("ending", ["mha", "nrrd", "nii.gz", "nii"])
def test_every_format_shows_the_same_patient(tmp_path: Path, ending: str, compress: bool) -> None:
    image, labels = body()
    save_itk(tmp_path / f"root/p_image.{ending}", image, compress)
    save_itk(tmp_path / f"root/p_label.{ending}", labels, compress)
    (sample,) = samples_of(tmp_path, card(f"{{case}}_image.{ending}", f"{{case}}_label.{ending}"), max_slices_per_volume=1)
    assert boxes_of(sample) == AXIAL_BOXES
    assert (sample.image_left_is, sample.spacing_mm, sample.flags) == ("patient_right", pytest.approx([2.0, 1.0]), [])


@pytest.mark.parametrize(("ending", "data"), [("mhd", "raw"), ("nhdr", "raw"), ("nhdr", "raw.gz"), ("mhd", "zraw")])
def test_a_header_with_its_data_file_beside_it_is_read(tmp_path: Path, ending: str, data: str) -> None:
    image, labels = body()
    for name, array in (("image", image), ("label", labels)):
        save_itk(tmp_path / f"root/p_{name}.{ending}", array, data in ("raw.gz", "zraw"))
    content = card(f"{{case}}_image.{ending}", f"{{case}}_label.{ending}")
    (sample,) = samples_of(tmp_path, content, max_slices_per_volume=1)
    assert boxes_of(sample) == AXIAL_BOXES
    assert [file.path for file in sample.source_files] == [f"p_{name}.{end}" for name in ("image", "label") for end in sorted((ending, data))]


def test_formats_may_be_mixed_and_axes_stored_in_another_order(tmp_path: Path) -> None:
    image, labels = body()
    save_itk(tmp_path / "root/p.nrrd", image)
    write_nifti(tmp_path / "root/p_seg.nii.gz", *reoriented(labels, RAS, (2, 0, 1), (True, False, True)))
    (sample,) = samples_of(tmp_path, card("{case}.nrrd", "{case}_seg.nii.gz"), max_slices_per_volume=1)
    assert boxes_of(sample) == AXIAL_BOXES


def test_a_vector_volume_gives_its_channel(tmp_path: Path) -> None:
    image, labels = body()
    both = sitk.Compose(itk_image(np.zeros_like(image)), itk_image(image))
    (tmp_path / "root").mkdir()
    sitk.WriteImage(both, str(tmp_path / "root/p.nrrd"))
    save_itk(tmp_path / "root/p_seg.nrrd", labels)
    (sample,) = samples_of(tmp_path, card("{case:p}.nrrd", "{case}_seg.nrrd", channel=1), max_slices_per_volume=1)
    write_nifti(tmp_path / "plain/root/p.nii", image, RAS)
    write_nifti(tmp_path / "plain/root/p_seg.nii", labels, RAS)
    (plain,) = samples_of(tmp_path / "plain", card("{case:p}.nii", "{case}_seg.nii"), max_slices_per_volume=1)
    assert sample.image == plain.image


def test_a_volume_with_frames_needs_a_channel_and_then_shows_that_frame(tmp_path: Path) -> None:
    image, labels = body()
    write_nifti(tmp_path / "root/p.nii.gz", np.stack([image * 0, image], axis=-1), RAS)
    write_nifti(tmp_path / "root/p_seg.nii.gz", labels, RAS)
    content = card("{case:p}.nii.gz", "{case}_seg.nii.gz")
    (fault,) = faults_of(tmp_path, content)
    assert fault.kind == "not_3d" and "channel: 0 to 1" in fault.cause
    samples = samples_of(tmp_path, content | {"channel": 1})
    assert boxes_of(middle(samples)) == AXIAL_BOXES
    write_nifti(tmp_path / "root/p.nii.gz", image, RAS)
    assert [sample.image for sample in samples_of(tmp_path, content)] == [sample.image for sample in samples]
    (fault,) = faults_of(tmp_path, content | {"channel": 2})
    assert "no channel 2" in fault.cause


# Layouts


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("scan{case}/ct.nii.gz", "scan{case}/seg.nii.gz"),
        ("images/{case}.nii.gz", "labels/{case}.nii.gz"),
        ("{case:[a-z0-9]+}.nii.gz", "{case}_seg.nii.gz"),
        ("sub-{case}/anat/sub-{case}_T1w.nii.gz", "derivatives/lesions/sub-{case}/anat/sub-{case}_label-lesion_mask.nii.gz"),
    ],
    ids=["beside", "two folders", "suffix", "BIDS"],
)
def test_pairs_are_found_in_the_usual_layouts(tmp_path: Path, image: str, mask: str) -> None:
    for number in range(2):
        voxels, labels = body(number)
        for pattern, array in ((image, voxels), (mask, labels)):
            write_nifti(tmp_path / "root" / pattern.replace(":[a-z0-9]+", "").replace("{case}", f"p{number}"), array, RAS)
    samples = samples_of(tmp_path, card(image, mask), max_slices_per_volume=1)
    assert [sample.case_id for sample in samples] == ["p0", "p1"]
    assert [boxes_of(sample) for sample in samples] == [AXIAL_BOXES] * 2


STRUCTURES = {"liver": {"sources": ["liver"], "semantic": True}, "spleen": {"sources": ["spleen"], "semantic": True}}


def write_structures(root: Path) -> None:
    image, labels = body()
    write_nifti(root / "s1/ct.nii.gz", image, RAS)
    for name, mask in (("liver", labels > 0), ("spleen", labels == 2), ("colon", labels < 0)):
        write_nifti(root / f"s1/segmentations/{name}.nii.gz", mask.astype(np.uint8), RAS)


def structure_card(**changes: Any) -> dict[str, Any]:
    base = {"labels": STRUCTURES, "ignored_sources": ["colon"], "annotated_labels": ["liver", "spleen"]}
    return card("{case}/ct.nii.gz", "{case}/segmentations/{label}.nii.gz", **(base | changes))


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_one_file_a_structure_may_overlap_and_be_empty(tmp_path: Path, plane: str) -> None:
    write_structures(tmp_path / "root")
    content = structure_card(plane=plane)
    labels = content["labels"] | {"colon": {"sources": ["colon"], "semantic": True}}
    (sample,) = samples_of(tmp_path, content | {"labels": labels, "ignored_sources": []}, max_slices_per_volume=1)
    write_nifti(tmp_path / "map/root/p.nii.gz", body()[0], RAS)
    write_nifti(tmp_path / "map/root/p_seg.nii.gz", body()[1], RAS)
    codes = {"liver": {"sources": [1, 2], "semantic": True}, "spleen": {"sources": [2], "semantic": True}}
    as_map = card("{case:p}.nii.gz", "{case}_seg.nii.gz", plane=plane, labels=codes, annotated_labels=[])
    (expected,) = samples_of(tmp_path / "map", as_map, max_slices_per_volume=1)
    assert boxes_of(sample) == boxes_of(expected)
    assert [item.mask_rle for item in sample.objects] == [item.mask_rle for item in expected.objects]


def test_a_faulty_structure_withdraws_its_label_and_nothing_else(tmp_path: Path) -> None:
    write_structures(tmp_path / "root")
    path = tmp_path / "root/s1/segmentations/spleen.nii.gz"
    path.write_bytes(path.read_bytes()[:-30])
    _, (result,) = ingest_folder(tmp_path, structure_card())
    assert {item.label for sample in result.samples for item in sample.objects} == {"liver"}
    assert {tuple(sample.annotated_labels) for sample in result.samples} == {("liver",)}
    assert [(error.kind, error.file) for error in result.partial] == [("unreadable_image", "s1/segmentations/spleen.nii.gz")]


def test_an_unknown_structure_is_a_fault_that_names_the_nearest(tmp_path: Path) -> None:
    write_structures(tmp_path / "root")
    write_nifti(tmp_path / "root/s1/segmentations/livr.nii.gz", body()[1], RAS)
    (fault,) = faults_of(tmp_path, structure_card())
    assert fault.kind == "unknown_label" and "nearest: liver" in fault.cause


def test_views_of_one_patient_share_their_mask_and_slices(tmp_path: Path) -> None:
    for view, seed in (("flair", 1), ("t1", 2), ("t1ce", 3)):
        write_nifti(tmp_path / f"root/b1/b1_{view}.nii.gz", body(seed)[0], RAS)
    write_nifti(tmp_path / "root/b1/b1_seg.nii.gz", body()[1], RAS)
    samples = samples_of(tmp_path, card("{case}/{case}_{view:flair|t1|t1ce}.nii.gz", "{case}/{case}_seg.nii.gz"))
    by_view = {view: [s for s in samples if f"/b1/{view}-axial" in s.sample_id] for view in ("flair", "t1", "t1ce")}
    assert sum(map(len, by_view.values())) == len(samples)
    assert len({tuple(s.slice_index for s in group) for group in by_view.values()}) == 1
    assert len({s.patient_id for s in samples}) == 1
    assert by_view["t1"][0].image != by_view["flair"][0].image


def test_every_value_of_an_instance_volume_is_an_object(tmp_path: Path) -> None:
    image, labels = body()
    labels = (labels == 1).astype(np.int16) * 300
    labels[2:8, 2:8, 3:6] = 1
    labels[12:18, 2:8, 3:6] = 5000
    write_nifti(tmp_path / "root/p.nii.gz", image, RAS)
    write_nifti(tmp_path / "root/p_seg.nii.gz", labels, RAS)
    labels_of_card = {"cell nucleus": {"sources": ["*"], "semantic": False}}
    content = card("{case:p}.nii.gz", "{case}_seg.nii.gz", labels=labels_of_card, annotated_labels=["cell nucleus"])
    sample = middle(samples_of(tmp_path, content))
    assert [item.label_source for item in sample.objects] == ["1", "300", "5000"]
    assert boxes_of(sample)[("cell nucleus", 1)] == [4, 6, 16, 18]
    assert not any(item.semantic for item in sample.objects)


# Pictures


@pytest.mark.parametrize("flat", ["mhd", "nii.gz"])
def test_a_file_of_one_slice_is_a_plain_picture_with_its_spacing(tmp_path: Path, flat: str) -> None:
    """MetaImage of one slice in three dimensions; NIfTI of two dimensions."""
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50)).astype(np.uint8)
    mask = np.zeros((30, 50), np.uint8)
    mask[5:15, 10:40] = 1
    (tmp_path / "root").mkdir()
    for name, array in (("2CH", pixels), ("2CH_gt", mask)):
        image = sitk.GetImageFromArray(array[None] if flat == "mhd" else array)
        image.SetSpacing((0.3, 0.15, 1.0)[: image.GetDimension()])
        sitk.WriteImage(image, str(tmp_path / f"root/p_{name}.{flat}"))
    content = card(f"{{case}}_{{view:2CH}}.{flat}", f"{{case}}_{{view:2CH}}_gt.{flat}", plane=None)
    labels = {"left ventricle": {"sources": [1], "semantic": True}}
    more = {"modality": "ultrasound", "intensity": {"kind": "stored"}, "image_left_is": "patient_right", "labels": labels, "annotated_labels": []}
    (sample,) = samples_of(tmp_path, content | more)
    assert sample.sample_id == "tiny/p/2CH"
    assert (sample.plane, sample.slice_index, sample.image_left_is) == (None, None, "patient_right")
    assert sample.spacing_mm == pytest.approx([0.15, 0.3])
    assert boxes_of(sample) == {("left ventricle", 0): [10, 5, 40, 15]}
    assert (sample.width, sample.height) == (50, 30)


# Planes, sides, slices


@pytest.mark.parametrize(
    ("world", "plane", "left"),
    [((0, 1, 2), "axial", "patient_right"), ((0, 2, 1), "coronal", "patient_right"), ((1, 2, 0), "sagittal", None)],
)
def test_without_a_plane_volumes_are_cut_across_their_coarsest_axis(tmp_path: Path, world: tuple[int, int, int], plane: str, left: str | None) -> None:
    """The coarse axis k (4 mm) runs to the head, to the front, or to the side; rows are 2 mm and columns 1 mm apart."""
    affine = np.diag([0.0, 0, 0, 1])
    for stored, axis in enumerate(world):
        affine[axis, stored] = RAS[stored, stored]
    for name, array in (("p", body()[0]), ("p_seg", body()[1])):
        write_nifti(tmp_path / f"root/{name}.nii.gz", array, affine)
    samples = samples_of(tmp_path, card("{case:p}.nii.gz", "{case}_seg.nii.gz", plane=None))
    assert {(s.plane, tuple(s.spacing_mm or []), s.image_left_is) for s in samples} == {(plane, (2.0, 1.0), left)}
    assert {(s.width, s.height) for s in samples} == {SHAPE[:2]}


def test_volumes_without_a_clearly_coarse_axis_are_cut_axially(tmp_path: Path) -> None:
    image, labels = body()
    for name, array in (("p", image), ("p_seg", labels)):
        write_nifti(tmp_path / f"root/{name}.nii.gz", array, np.diag([1.0, 1.2, 1.0, 1.0]))
    assert {s.plane for s in samples_of(tmp_path, card("{case:p}.nii.gz", "{case}_seg.nii.gz", plane=None))} == {"axial"}


@pytest.mark.parametrize(("degrees", "left", "flagged"), [(3, "patient_right", False), (10, "patient_right", True), (29, "patient_right", True), (32, None, True)])
def test_sides_hold_up_to_30_degrees_and_obliqueness_is_flagged_from_5(tmp_path: Path, degrees: float, left: str | None, flagged: bool) -> None:
    for name, array in (("p", body()[0]), ("p_seg", body()[1])):
        write_nifti(tmp_path / f"root/{name}.nii.gz", array, turned(degrees))
    samples = samples_of(tmp_path, card("{case:p}.nii.gz", "{case}_seg.nii.gz"))
    assert {(s.image_left_is, "oblique" in s.flags) for s in samples} == {(left, flagged)}
    assert boxes_of(middle(samples)) == AXIAL_BOXES


def test_a_tilt_about_the_left_right_axis_keeps_the_sides(tmp_path: Path) -> None:
    for name, array in (("p", body()[0]), ("p_seg", body()[1])):
        write_nifti(tmp_path / f"root/{name}.nii.gz", array, turned(40, axes=(1, 2)))
    assert {s.image_left_is for s in samples_of(tmp_path, card("{case:p}.nii.gz", "{case}_seg.nii.gz"))} == {"patient_right"}


def test_the_card_may_ask_for_other_numbers_of_slices(tmp_path: Path) -> None:
    for name, array in (("p", body()[0]), ("p_seg", body()[1])):
        write_nifti(tmp_path / f"root/{name}.nii.gz", array, RAS)
    content = card("{case:p}.nii.gz", "{case}_seg.nii.gz")
    assert len(samples_of(tmp_path, content)) == 2
    assert len(samples_of(tmp_path, content | {"slices": {"per_volume": 1}})) == 1
    assert len(samples_of(tmp_path, content | {"slices": {"per_volume": 9, "per_label": 9, "min_gap": 1}})) == 5


# Grids


def test_labels_on_another_grid_are_a_fault_that_names_the_remedy(tmp_path: Path) -> None:
    image, labels = body()
    write_nifti(tmp_path / "root/p.nii.gz", image, RAS)
    shifted = RAS.copy()
    shifted[0, 3] += 3
    write_nifti(tmp_path / "root/p_seg.nii.gz", labels, shifted)
    (fault,) = faults_of(tmp_path, card("{case:p}.nii.gz", "{case}_seg.nii.gz"))
    assert fault.kind == "geometry_mismatch" and "resample_masks: true" in fault.cause


def test_labels_are_resampled_in_physical_space_where_the_card_says_so(tmp_path: Path) -> None:
    """Labels at half the resolution along i, and on a grid that begins elsewhere, stored in another axis order."""
    image, labels = body()
    write_nifti(tmp_path / "root/p.nii.gz", image, RAS)
    coarse = RAS @ np.diag([2.0, 1, 1, 1])
    coarse[0, 3] += 0.5  # centre of the first pair of voxels
    coarse[:3, 3] += RAS[:3, 1] * 3
    write_nifti(tmp_path / "root/p_seg.nii.gz", *reoriented(np.ascontiguousarray(labels[::2, 3:]), coarse, (1, 0, 2), (True, False, False)))
    samples = samples_of(tmp_path, card("{case:p}.nii.gz", "{case}_seg.nii.gz", resample_masks=True))
    sample = middle(samples)
    assert boxes_of(sample)[("liver", 0)] == AXIAL_BOXES[("liver", 0)]
    assert all("mask_resampled" in s.flags for s in samples)


# Headers that say something else


IN_METRES = np.diag([1e-3, 1e-3, 1e-3, 1.0]) @ RAS


def test_headers_in_metres_are_read_as_millimetres_where_the_card_says_so(tmp_path: Path) -> None:
    save_itk(tmp_path / "root/p.nrrd", body()[0], affine=IN_METRES)
    save_itk(tmp_path / "root/p_seg.nrrd", body()[1], affine=IN_METRES)
    sample = middle(samples_of(tmp_path, card("{case:p}.nrrd", "{case}_seg.nrrd", header_unit="m")))
    assert sample.spacing_mm == pytest.approx([2.0, 1.0])
    assert boxes_of(sample) == AXIAL_BOXES


def test_a_header_in_millimetres_is_a_fault_where_the_card_says_metres(tmp_path: Path) -> None:
    save_itk(tmp_path / "root/p.nrrd", body()[0])
    save_itk(tmp_path / "root/p_seg.nrrd", body()[1])
    (fault,) = faults_of(tmp_path, card("{case:p}.nrrd", "{case}_seg.nrrd", header_unit="m"))
    assert fault.kind == "bad_spacing" and "take `header_unit` out of the card" in fault.cause


@pytest.mark.parametrize(("stated", "flagged"), [(None, True), ("patient_left", False)])
def test_where_the_header_tells_the_axes_of_the_probe_sides_are_the_cards_and_no_plane_is_named(tmp_path: Path, stated: str | None, flagged: bool) -> None:
    write_nifti(tmp_path / "root/p.nii.gz", body()[0], turned(12))
    write_nifti(tmp_path / "root/p_seg.nii.gz", body()[1], turned(12))
    samples = samples_of(tmp_path, card("{case:p}.nii.gz", "{case}_seg.nii.gz", header_sides=False, image_left_is=stated))
    assert {(s.image_left_is, s.plane, "orientation_unknown" in s.flags, "oblique" in s.flags) for s in samples} == {(stated, None, flagged, False)}
    assert middle(samples).sample_id.endswith("/slice-003")


# Unmarked volumes


@pytest.mark.parametrize(("policy", "expected"), [("keep", 1), ("drop", 0)])
def test_an_empty_label_volume_is_kept_or_dropped_as_the_card_says(tmp_path: Path, policy: str, expected: int) -> None:
    write_nifti(tmp_path / "root/p.nii.gz", body()[0], RAS)
    write_nifti(tmp_path / "root/p_seg.nii.gz", np.zeros(SHAPE, np.uint8), RAS)
    samples = samples_of(tmp_path, card("{case:p}.nii.gz", "{case}_seg.nii.gz", empty_images=policy))
    assert [s.objects for s in samples] == [[]] * expected


def test_the_transform_of_a_named_window_is_recorded(tmp_path: Path) -> None:
    for name, array in (("p", body()[0]), ("p_seg", body()[1])):
        write_nifti(tmp_path / f"root/{name}.nii.gz", array, RAS)
    content = card("{case:p}.nii.gz", "{case}_seg.nii.gz", intensity={"kind": "window", "preset": "abdomen"})
    assert json.loads(samples_of(tmp_path, content)[0].transform) == {"kind": "window", "preset": "abdomen", "level": 50.0, "width": 400.0}
