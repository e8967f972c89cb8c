"""The cards of real data against the real folders: counts that were taken without this code, sides, orientation."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import os
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from stages.core.geometry import decode_mask
from stages.core.records import Sample, SampleObject
from stages.ingest.card import load_card
from stages.ingest.cases import Found
from stages.ingest.readers import READERS
from stages.ingest.readers.base import Source
from stages.ingest.samples import ingest_case
from tests.ingest.sources import REPO, limits

REAL = Path(os.environ.get("MEDGROUND_REAL_DATA", REPO / "../shared/data"))
pytestmark = pytest.mark.real


def open_real(name: str) -> tuple[Source, Found]:
    """A real set and its cases; skips with the reason where the folder is missing."""
    root = REAL / name
    if not root.is_dir():
        pytest.skip(f"real data not here: {name} under {REAL} (set MEDGROUND_REAL_DATA)")
    card = load_card(REPO / f"data/cards/{name}.yaml")
    return Source(card, root, limits()), READERS[card.reader].find(card, root)


def first_samples(source: Source, found: Found, number: int) -> list[Sample]:
    return [sample for case in found.cases[:number] for sample in ingest_case((case, source)).samples]


def centre_x(item: SampleObject) -> float:
    return float(np.nonzero(decode_mask(item.mask_rle))[1].mean())


# Cases and masks as counted with `find` and `wc` on the folders; kinds of known faults of the sources.
COUNTS = {
    "cxr_covid_segmentations": (38, 242, {}),
    "msd_hippocampus": (64, 66, {"image_without_mask": 1, "mask_without_image": 2}),
    "usgra_nerve_ultrasound": (66, 66, {}),
    "dsb2018_nuclei": (33, 1375, {}),
    "kvasir_polyp_endoscopy": (22, 22, {}),
    "isic2017_dermoscopy": (6, 6, {}),
    "chaos_ct_liver_slices": (20, 20, {}),
    "wbc_cytology": (75, 75, {}),
    "ct_liver_dicom_seg": (1, 2, {}),
}


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_every_file_of_a_real_set_is_a_case_a_named_fault_or_a_known_other_file(name: str) -> None:
    source, found = open_real(name)
    cases, masks, faults = COUNTS[name]
    assert (len(found.cases), found.n_masks) == (cases, masks)
    assert Counter(error.kind for error in found.errors) == faults
    assert found.unmatched == []


@pytest.mark.parametrize("name", ["usgra_nerve_ultrasound", "dsb2018_nuclei", "kvasir_polyp_endoscopy", "wbc_cytology"])
def test_the_first_pictures_of_a_real_set_become_samples(name: str) -> None:
    source, found = open_real(name)
    samples = first_samples(source, found, 2)
    assert len(samples) == 2
    assert all(sample.objects and sample.licence == source.card.licence for sample in samples)


def test_a_real_radiograph_has_its_left_lung_at_the_right_and_says_so() -> None:
    source, found = open_real("cxr_covid_segmentations")
    small = [case for case in found.cases if (source.root / case.image).stat().st_size < 60_000][:4]
    samples = first_samples(source, dataclasses.replace(found, cases=small), 4)
    assert len(samples) == len(small) > 0
    for sample in samples:
        x = {item.label: centre_x(item) for item in sample.objects}
        assert x["right lung"] < x["cardiomediastinum"] < x["left lung"]
        assert sample.image_left_is == "patient_right"
        assert sample.licence.startswith("CC BY")


def test_radiographs_of_one_patient_share_their_id() -> None:
    _, found = open_real("cxr_covid_segmentations")
    assert len({case.patient for case in found.cases}) == 31


def test_a_real_volume_is_cut_as_its_header_says_checked_on_the_bytes_of_the_file() -> None:
    source, found = open_real("msd_hippocampus")
    for sample in first_samples(source, found, 3):
        (path,) = [file.path for file in sample.source_files if "/labels/" in file.path]
        labels = gzip.decompress((source.root / path).read_bytes())
        shape = struct.unpack_from("<3h", labels, 42)
        srow = np.array(struct.unpack_from("<12f", labels, 280)).reshape(3, 4)[:, :3]
        assert (np.sign(np.diag(srow)) == 1).all() and np.count_nonzero(srow) == 3  # RAS
        codes = np.frombuffer(labels, np.uint8, int(np.prod(shape)), int(struct.unpack_from("<f", labels, 108)[0])).reshape(shape, order="F")
        shown = codes[::-1, ::-1, sample.slice_index].T  # right to the left, front to the top
        for item in sample.objects:
            assert np.array_equal(decode_mask(item.mask_rle), shown == int(item.label_source))


def all_samples(name: str, step: int = 1) -> list[Sample]:
    """Samples of every ``step``-th case."""
    source, found = open_real(name)
    return [sample for case in found.cases[::step] for sample in ingest_case((case, source)).samples]


def counted(samples: list[Sample]) -> Counter[str]:
    return Counter(item.label for sample in samples for item in sample.objects)


def grey_values(path: Path) -> set[int]:
    """Values of a grey or palette picture, as Pillow counts them."""
    with Image.open(path) as picture:
        return {value for _, value in picture.getcolors(1 << 16)}


def test_every_nucleus_file_of_a_real_set_is_an_object_of_its_picture() -> None:
    samples = all_samples("dsb2018_nuclei")
    folder = REAL / "dsb2018_nuclei/stage1_train"
    assert {sample.case_id: len(sample.objects) for sample in samples} == {case.name: len(list((case / "masks").iterdir())) for case in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "pattern", "codes"),
    [
        ("usgra_nerve_ultrasound", "dataset/**/masks/*.png", {1: "nerve", 2: "vessel"}),
        ("wbc_cytology", "Dataset 1/*.png", {128: "white blood cell cytoplasm", 255: "white blood cell nucleus"}),
    ],
)
def test_every_value_of_a_real_label_map_is_an_object(name: str, pattern: str, codes: dict[int, str]) -> None:
    got = counted(all_samples(name))
    files = Counter(codes[value] for path in (REAL / name).glob(pattern) for value in grey_values(path) if value)
    assert {label: got[label] for label in codes.values()} == files


@pytest.mark.parametrize(("name", "suffix"), [("kvasir_polyp_endoscopy", ".jpg"), ("chaos_ct_liver_slices", ".jpg")])
def test_a_real_mask_covers_the_pixels_that_pillow_counts_in_its_file(name: str, suffix: str) -> None:
    for sample in all_samples(name):
        with Image.open(REAL / name / f"masks/{sample.case_id}{suffix}") as picture:
            bright = picture.convert("RGB").split()
            area = sum(ImageChops.lighter(ImageChops.lighter(*bright[:2]), bright[2]).histogram()[128:])
        assert sum(int(decode_mask(item.mask_rle).sum()) for item in sample.objects) == area


def test_every_structure_of_the_real_radiographs_that_a_row_draws_is_an_object() -> None:
    if not (REAL / "cxr_covid_segmentations").is_dir():
        pytest.skip(f"real data not here: cxr_covid_segmentations under {REAL} (set MEDGROUND_REAL_DATA)")
    with (REAL / "cxr_covid_segmentations/structure.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["Mask"].strip()]
    # One probe's mask is 3 x 2 pixels, below ingest.min_object_px. Several masks of one structure are one region.
    drawn: dict[str, set[str]] = {}
    for row in rows:
        if int(row["Width"]) * int(row["Height"]) >= limits().min_object_px:
            drawn.setdefault(Path(row["Filename"]).stem, set()).add(row["Template Name"])
    assert [name for name, structures in drawn.items() if "Right Lung" not in structures] == ["acute-respiratory-distress-syndrome-ards-1"]
    for sample in all_samples("cxr_covid_segmentations", step=6):
        assert {item.label_source for item in sample.objects} == drawn[sample.case_id]
        assert len(sample.objects) == len(drawn[sample.case_id])


def test_the_slices_of_real_volumes_hold_the_labels_that_their_bytes_hold() -> None:
    for sample in all_samples("msd_hippocampus", step=4):
        (path,) = [file.path for file in sample.source_files if "/labels/" in file.path]
        raw = gzip.decompress((REAL / "msd_hippocampus" / path).read_bytes())
        shape = struct.unpack_from("<3h", raw, 42)
        start = int(struct.unpack_from("<f", raw, 108)[0])
        size = shape[0] * shape[1]
        axial = raw[start + sample.slice_index * size : start + (sample.slice_index + 1) * size]
        areas = {str(value): axial.count(bytes([value])) for value in (1, 2)}
        assert {item.label_source: int(decode_mask(item.mask_rle).sum()) for item in sample.objects} == {
            value: area for value, area in areas.items() if area >= limits().min_object_px
        }
