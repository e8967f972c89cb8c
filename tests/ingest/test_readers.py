"""Every reader on tiny real files: what comes out, and what each fault becomes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.core.geometry import decode_mask, tight_box
from stages.core.records import ItemError, Sample
from tests.ingest.sources import block, card_content, grey, ingest_folder, label_map_card, save, volume_card, write_case
from tests.nifti import reoriented, write_nifti


def samples_of(folder: Path, content: dict, **changes: object) -> list[Sample]:
    found, results = ingest_folder(folder, content, **changes)
    assert [error for result in results for error in result.lost] == []
    return [sample for result in results for sample in result.samples]


def faults_of(folder: Path, content: dict, **changes: object) -> list[ItemError]:
    found, results = ingest_folder(folder, content, **changes)
    return found.errors + [error for result in results for error in (*result.lost, *result.partial)]


def pixels_of(sample: Sample) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(sample.image)))


def boxes_of(sample: Sample) -> dict[tuple[str, int], list[float]]:
    return {(item.label, item.instance): tight_box(decode_mask(item.mask_rle)) for item in sample.objects}


# Mask files


def test_mask_files_become_numbered_instances_in_file_order(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    (sample,) = samples_of(tmp_path, card_content())
    assert boxes_of(sample) == {
        ("heart", 0): [30, 10, 50, 30],
        ("lung opacity", 0): [2, 2, 10, 12],
        ("lung opacity", 1): [4, 20, 14, 30],
    }
    assert not any(item.semantic for item in sample.objects)
    assert sample.sample_id == "tiny/a/frontal"
    assert sample.image_left_is == "patient_right"
    assert sample.spacing_mm is None
    assert np.array_equal(pixels_of(sample), grey(seed=sum(b"a")))
    assert len(sample.source_files) == 4 and all(len(file.sha256) == 64 for file in sample.source_files)


def test_semantic_mask_files_of_one_label_unite_into_one_region(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    labels = {"heart": {"sources": ["heart"], "semantic": False}, "lung opacity": {"sources": ["opacity"], "semantic": True}}
    (sample,) = samples_of(tmp_path, card_content(labels=labels))
    (region,) = [item for item in sample.objects if item.label == "lung opacity"]
    assert region.semantic
    assert tight_box(decode_mask(region.mask_rle)) == [2, 2, 14, 30]


def test_masks_without_a_name_are_one_instance_each(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "p/images/p.png", grey())
    save(root / "p/masks/z.png", block((0, 0, 8, 8)))
    save(root / "p/masks/b.png", block((20, 20, 30, 30)))
    files = {"image": ["{case}/images/{case}.png"], "mask": ["{case}/masks/*.png"], "other": []}
    labels = {"cell nucleus": {"sources": ["mask"], "semantic": False}}
    (sample,) = samples_of(tmp_path, card_content(files=files, labels=labels, annotated_labels=["cell nucleus"]))
    assert boxes_of(sample) == {("cell nucleus", 0): [20, 20, 30, 30], ("cell nucleus", 1): [0, 0, 8, 8]}


def test_the_fringe_of_a_jpeg_mask_is_cut_at_the_threshold_and_flagged(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "images/a.png", grey())
    save(root / "masks/a_heart.jpg", block((17, 9, 41, 33)), quality=90)
    files = {"image": ["images/{case}.png"], "mask": ["masks/{case}_{label}.jpg"], "other": []}
    (sample,) = samples_of(tmp_path, card_content(files=files, mask_threshold=127))
    assert boxes_of(sample) == {("heart", 0): [17, 9, 41, 33]}
    assert "mask_fringe" in sample.flags


def test_a_faulty_mask_withdraws_its_label_and_nothing_else(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    save(tmp_path / "root/masks/a_opacity2.png", block((0, 0, 8, 8), height=41))
    found, (result,) = ingest_folder(tmp_path, card_content())
    assert [item.label for item in result.samples[0].objects] == ["heart"]
    assert result.samples[0].annotated_labels == ["heart"]
    assert [(error.kind, error.file) for error in result.partial] == [("mask_size", "masks/a_opacity2.png")]
    assert "(60, 41) against image (60, 40)" in result.partial[0].cause


def test_an_empty_mask_keeps_its_siblings_but_the_label_no_longer_counts_as_complete(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    save(tmp_path / "root/masks/a_opacity2.png", block((0, 0, 0, 0)))
    found, (result,) = ingest_folder(tmp_path, card_content())
    assert [item.label for item in result.samples[0].objects] == ["heart", "lung opacity"]
    assert result.samples[0].annotated_labels == ["heart"]
    assert [error.kind for error in result.partial] == ["empty_mask"]


def test_an_unknown_structure_costs_the_picture_and_names_the_nearest_label(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    save(tmp_path / "root/masks/a_hart.png", block((0, 0, 8, 8)))
    (fault,) = faults_of(tmp_path, card_content())
    assert (fault.kind, fault.file, fault.item_id) == ("unknown_label", "masks/a_hart.png", "tiny/a")
    assert "nearest: heart" in fault.cause


def test_an_ignored_structure_is_left_out_without_a_fault(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    save(tmp_path / "root/masks/a_rib.png", block((0, 0, 8, 8)))
    (sample,) = samples_of(tmp_path, card_content(ignored_sources=["rib"]))
    assert {item.label for item in sample.objects} == {"heart", "lung opacity"}


# Pictures


def test_a_truncated_picture_is_a_fault(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    path = tmp_path / "root/images/a.png"
    path.write_bytes(path.read_bytes()[:500])
    (fault,) = faults_of(tmp_path, card_content())
    assert (fault.kind, fault.file) == ("unreadable_image", "images/a.png")


def test_a_picture_that_is_none_is_a_fault(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    (tmp_path / "root/images/a.png").write_text("<html>404</html>")
    (fault,) = faults_of(tmp_path, card_content())
    assert fault.kind == "unreadable_image"


def test_a_picture_over_the_pixel_limit_is_refused(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    (fault,) = faults_of(tmp_path, card_content(), max_pixels=2000)
    assert fault.kind == "too_large"
    assert "60 x 40 pixels, more than ingest.max_pixels = 2000" in fault.cause


def test_a_large_picture_is_scaled_down_by_area_and_its_masks_with_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "images/a.png", np.kron(np.array([[0, 200], [100, 40]], np.uint8), np.ones((20, 30), np.uint8)))
    save(root / "masks/a_heart.png", block((30, 20, 60, 40)))
    (sample,) = samples_of(tmp_path, card_content(), max_side_px=30)
    assert (sample.width, sample.height) == (30, 20)
    assert boxes_of(sample) == {("heart", 0): [15, 10, 30, 20]}
    assert np.array_equal(pixels_of(sample), np.kron(np.array([[0, 200], [100, 40]], np.uint8), np.ones((10, 15), np.uint8)))
    assert "scaled_down" in sample.flags
    assert '"scale_xy": [0.5, 0.5]' in sample.transform


def test_alpha_is_dropped_with_a_flag_where_it_says_something(tmp_path: Path) -> None:
    root = tmp_path / "root"
    rgba = np.random.default_rng(0).integers(0, 255, (40, 60, 4)).astype(np.uint8)
    save(root / "images/a.png", rgba)
    save(root / "images/b.png", np.dstack([rgba[..., :3], np.full((40, 60), 255, np.uint8)]))
    for case in "ab":
        save(root / f"masks/{case}_heart.png", block((0, 0, 8, 8)))
    first, second = samples_of(tmp_path, card_content())
    assert np.array_equal(pixels_of(first), rgba[..., :3])
    assert "alpha_dropped" in first.flags and "alpha_dropped" not in second.flags


def test_a_16_bit_picture_becomes_8_bit_by_percentiles(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "images/a.png", np.linspace(1000, 3000, 2400).reshape(40, 60).astype(np.uint16))
    save(root / "masks/a_heart.png", block((0, 0, 8, 8)))
    (sample,) = samples_of(tmp_path, card_content())
    assert pixels_of(sample).dtype == np.uint8
    assert (pixels_of(sample)[0, 0], pixels_of(sample)[-1, -1]) == (0, 255)
    assert "more_than_8_bit" in sample.flags


def test_objects_below_the_least_size_are_dropped_and_their_absence_proves_nothing(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    save(tmp_path / "root/masks/a_opacity2.png", block((0, 0, 3, 5)))
    found, (result,) = ingest_folder(tmp_path, card_content(), min_object_px=16)
    assert [item.label for item in result.samples[0].objects] == ["heart", "lung opacity"]
    assert result.samples[0].annotated_labels == ["heart"]
    assert result.flags["small_objects_dropped"] == 1


# Label maps


def test_a_palette_label_map_gives_one_semantic_region_per_label(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "images/a.png", grey())
    codes = block((0, 0, 10, 10), value=1) + block((30, 20, 50, 38), value=2)
    picture = Image.fromarray(codes, mode="P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    (root / "masks").mkdir()
    picture.save(root / "masks/a.png")
    (sample,) = samples_of(tmp_path, label_map_card())
    assert boxes_of(sample) == {("nerve", 0): [0, 0, 10, 10], ("vessel", 0): [30, 20, 50, 38]}
    assert all(item.semantic for item in sample.objects)


def test_a_colour_label_map_is_read_by_its_colours(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "images/a.png", grey())
    colours = np.zeros((40, 60, 3), np.uint8)
    colours[5:15, 5:25] = (255, 0, 16)
    save(root / "masks/a.png", colours)
    labels = {"nerve": {"sources": ["#ff0010"], "semantic": True}}
    (sample,) = samples_of(tmp_path, label_map_card(labels=labels, annotated_labels=["nerve"]))
    assert boxes_of(sample) == {("nerve", 0): [5, 5, 25, 15]}


def test_several_codes_unite_into_one_label_and_one_code_may_serve_two(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "images/a.png", grey())
    save(root / "masks/a.png", np.maximum(block((10, 10, 40, 30), value=128), block((20, 15, 30, 25), value=255)))
    labels = {
        "white blood cell": {"sources": [128, 255], "semantic": True},
        "white blood cell nucleus": {"sources": [255], "semantic": True},
    }
    (sample,) = samples_of(tmp_path, label_map_card(labels=labels, annotated_labels=[]))
    assert boxes_of(sample) == {("white blood cell", 0): [10, 10, 40, 30], ("white blood cell nucleus", 0): [20, 15, 30, 25]}
    assert sample.objects[0].label_source == "128+255"


@pytest.mark.parametrize(
    ("mask", "kind"),
    [
        (block((0, 0, 10, 10), value=7), "unknown_label"),
        (block((0, 0, 0, 0)), "empty_mask"),
        (block((0, 0, 10, 10), value=1, width=61), "mask_size"),
    ],
)
def test_faulty_label_maps_cost_the_picture(tmp_path: Path, mask: np.ndarray, kind: str) -> None:
    save(tmp_path / "root/images/a.png", grey())
    save(tmp_path / "root/masks/a.png", mask)
    (fault,) = faults_of(tmp_path, label_map_card())
    assert (fault.kind, fault.file) == (kind, "masks/a.png")


# Cropped masks placed by a table

CROPS = {
    "table": "structure.csv",
    "image": "Filename",
    "mask": "Mask",
    "label": "Class",
    "top": "Top",
    "left": "Left",
    "width": "Width",
    "height": "Height",
    "resolution": "Size",
}


def crop_card() -> dict:
    files = {"image": ["images/{case}.png"], "mask": [], "other": ["*.csv"]}
    table = {"table": "patients.csv", "image": "file", "patient": "patient", "licence": "licence"}
    return card_content(reader="picture_mask_crops", files=files, crops=CROPS, image_table=table)


def write_crops(root: Path, **changes: object) -> None:
    """An image of 60 x 40 and one heart of 20 x 10 at row 5, column 30: coloured on opaque black, alpha 255 everywhere."""
    save(root / "images/a.png", grey())
    crop = np.zeros((10, 20, 4), np.uint8)
    crop[..., 3] = 255
    crop[2:, :15, 0] = 200
    save(root / "masks/h.png", crop)
    row = {"Filename": "a.png", "Mask": "masks/h.png", "Class": "heart", "Top": 5, "Left": 30, "Width": 20, "Height": 10, "Size": "60x40"}
    write_table(root / "structure.csv", [row | changes])
    write_table(root / "patients.csv", [{"file": "a.png", "patient": "17", "licence": "CC BY"}])


def write_table(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_crop_is_set_at_its_place_and_its_alpha_is_not_the_mask(tmp_path: Path) -> None:
    write_crops(tmp_path / "root")
    (sample,) = samples_of(tmp_path, crop_card())
    assert boxes_of(sample) == {("heart", 0): [30, 7, 45, 15]}
    assert sample.licence == "CC BY"
    assert "17" not in sample.patient_id and sample.patient_id.startswith("tiny/")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"Left": 41}, "mask_outside"),
        ({"Top": -1}, "mask_outside"),
        ({"Width": 21}, "mask_size"),
        ({"Size": "61x40"}, "mask_size"),
        ({"Mask": ""}, "mask_not_given"),
        ({"Mask": "../h.png"}, "unsafe_path"),
        ({"Mask": "masks/gone.png"}, "missing_file"),
        ({"Top": "five"}, "bad_table_row"),
    ],
)
def test_a_bad_row_is_a_fault_with_its_kind(tmp_path: Path, changes: dict, kind: str) -> None:
    write_crops(tmp_path / "root", **changes)
    (fault,) = faults_of(tmp_path, crop_card())
    assert fault.kind == "no_object"
    assert kind in fault.cause


def test_rows_and_files_that_do_not_meet_are_named(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_crops(root, Filename="other.png")
    save(root / "masks/stray.png", grey())
    found, results = ingest_folder(tmp_path, crop_card())
    assert [(error.kind, error.file) for error in found.errors] == [
        ("image_without_mask", "images/a.png"),
        ("mask_without_image", "masks/h.png"),
    ]
    assert found.unmatched == ["masks/stray.png"]


# Volumes

RAS = np.array([[1.0, 0, 0, -20], [0, 2.0, 0, -15], [0, 0, 4.0, 0], [0, 0, 0, 1]])


def write_volume_case(root: Path, order: tuple = (0, 1, 2), flips: tuple = (False,) * 3, affine: np.ndarray = RAS, **bad: object) -> None:
    """A body of 40 x 24 x 9 voxels in RAS+ with a liver on the patient's right and a lesion at its front."""
    labels = np.zeros((40, 24, 9), np.uint8)
    labels[24:36, 6:18, 2:7] = 1  # i grows to the patient's right
    labels[28:33, 13:17, 3:6] = 2  # j grows to the front
    image = np.random.default_rng(1).normal(40, 10, labels.shape)
    image = (image + 60 * (labels == 1) - 90 * (labels == 2)).astype(np.float32)
    image, labels = bad.get("image", image), bad.get("labels", labels)  # type: ignore[assignment]
    write_nifti(root / "p_image.nii.gz", *reoriented(image, affine, order, flips))
    write_nifti(root / "p_label.nii.gz", *reoriented(labels, bad.get("label_affine", affine), order, flips))  # type: ignore[arg-type]


def test_slices_show_the_liver_at_the_pictures_left_and_say_which_side_that_is(tmp_path: Path) -> None:
    write_volume_case(tmp_path / "root")
    samples = samples_of(tmp_path, volume_card(), max_slices_per_volume=1)
    (sample,) = samples
    assert sample.image_left_is == "patient_right"
    assert (sample.plane, sample.slice_index) == ("axial", 3)
    assert sample.sample_id == "tiny/p/axial-003"
    assert (sample.width, sample.height) == (40, 24)
    assert sample.spacing_mm == [2.0, 1.0]
    # i = 24..35 of 40 from the patient's left is column 40-36..40-25 from the patient's right; j likewise from the front.
    assert boxes_of(sample) == {("liver", 0): [4, 6, 16, 18], ("liver lesion", 0): [7, 7, 12, 11]}


@pytest.mark.parametrize(
    ("order", "flips"),
    [((0, 1, 2), (True, True, False)), ((2, 0, 1), (False, True, True)), ((1, 2, 0), (True, False, False))],
    ids=["LPS", "permuted", "permuted and flipped"],
)
def test_every_orientation_of_one_patient_gives_the_same_samples(tmp_path: Path, order: tuple, flips: tuple) -> None:
    folders = [tmp_path / "ras", tmp_path / "other"]
    write_volume_case(folders[0] / "root")
    write_volume_case(folders[1] / "root", order, flips)
    first, second = (samples_of(folder, volume_card()) for folder in folders)
    assert [{**vars(sample), "source_files": None} for sample in first] == [{**vars(sample), "source_files": None} for sample in second]


def test_a_slightly_oblique_volume_keeps_its_pixels_and_sides(tmp_path: Path) -> None:
    angle = np.deg2rad(10)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    write_volume_case(tmp_path / "straight/root")
    write_volume_case(tmp_path / "oblique/root", affine=turn @ RAS)
    first = samples_of(tmp_path / "straight", volume_card())
    second = samples_of(tmp_path / "oblique", volume_card())
    assert [sample.image for sample in first] == [sample.image for sample in second]
    assert [boxes_of(sample) for sample in first] == [boxes_of(sample) for sample in second]
    assert {sample.image_left_is for sample in second} == {"patient_right"}


def test_the_window_is_applied_and_recorded(tmp_path: Path) -> None:
    labels = np.zeros((40, 24, 9), np.uint8)
    labels[10:20, 10:20, 4] = 1
    image = np.full(labels.shape, -150, np.int16)
    image[labels == 1] = 250
    write_volume_case(tmp_path / "root", image=image, labels=labels)
    (sample,) = samples_of(tmp_path, volume_card())
    assert sorted(set(pixels_of(sample).ravel().tolist())) == [0, 255]
    assert '"level": 50.0' in sample.transform and '"width": 400.0' in sample.transform


def test_mr_percentiles_are_those_of_the_volume_and_not_of_the_slice(tmp_path: Path) -> None:
    labels = np.zeros((40, 24, 9), np.uint8)
    labels[10:20, 10:20, 1] = 1
    image = np.zeros(labels.shape, np.int16) + np.arange(9, dtype=np.int16) * 100
    write_volume_case(tmp_path / "root", image=image, labels=labels)
    (sample,) = samples_of(tmp_path, volume_card(intensity={"kind": "percentiles", "low": 0.0, "high": 100.0}, modality="MR"))
    assert set(pixels_of(sample).ravel().tolist()) == {round(255 * 100 / 800)}


def test_without_a_stated_orientation_the_sides_are_unknown(tmp_path: Path) -> None:
    labels = np.zeros((40, 24, 9), np.uint8)
    labels[10:20, 10:20, 4] = 1
    for name, array in (("image", labels.astype(np.int16) * 50), ("label", labels)):
        write_nifti(tmp_path / f"root/p_{name}.nii.gz", array, np.diag([1.0, 1, 1, 1]), form_code=0)
    (sample,) = samples_of(tmp_path, volume_card())
    assert sample.image_left_is is None
    assert "orientation_unknown" in sample.flags


SHAPE = (40, 24, 9)


@pytest.mark.parametrize(
    ("bad", "kind", "file"),
    [
        ({"labels": np.zeros(SHAPE, np.uint8)}, "empty_mask", "p_label.nii.gz"),
        ({"labels": np.full(SHAPE, 5, np.uint8)}, "unknown_label", "p_label.nii.gz"),
        ({"labels": np.full(SHAPE, 0.5, np.float32)}, "bad_mask_values", "p_label.nii.gz"),
        ({"labels": np.ones((39, 24, 9), np.uint8)}, "mask_size", "p_label.nii.gz"),
        ({"label_affine": RAS + np.eye(4)[:, [3, 3, 3, 0]] * 3}, "geometry_mismatch", "p_label.nii.gz"),
        ({"image": np.zeros((*SHAPE[:2], 2, 2), np.int16)}, "not_3d", "p_image.nii.gz"),
        ({"image": np.full(SHAPE, np.nan, np.float32)}, "not_finite", "p_image.nii.gz"),
    ],
)
def test_faulty_volumes_are_faults_of_their_file(tmp_path: Path, bad: dict, kind: str, file: str) -> None:
    root = tmp_path / "root"
    write_volume_case(root, **({} if "image" in bad else bad))
    if "image" in bad:
        write_nifti(root / "p_image.nii.gz", bad["image"], RAS)
    (fault,) = faults_of(tmp_path, volume_card())
    assert (fault.kind, fault.file) == (kind, file)


def test_a_flat_volume_has_nothing_to_see(tmp_path: Path) -> None:
    write_volume_case(tmp_path / "root", image=np.full(SHAPE, 7, np.int16))
    (fault,) = faults_of(tmp_path, volume_card(intensity={"kind": "percentiles", "low": 1.0, "high": 99.0}))
    assert fault.kind == "flat_image"
