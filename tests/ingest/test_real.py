"""The cards of real data against the real folders: counts that were taken without this code, sides, orientation."""

from __future__ import annotations

import dataclasses
import gzip
import os
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from stages.core.geometry import decode_mask
from stages.core.records import Sample, SampleObject
from stages.ingest.card import load_card
from stages.ingest.files import Found
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
        codes = np.frombuffer(labels, np.uint8, int(np.prod(shape)), int(struct.unpack_from("<f", labels, 108)[0])).reshape(
            shape, order="F"
        )
        shown = codes[::-1, ::-1, sample.slice_index].T  # right to the left, front to the top
        for item in sample.objects:
            assert np.array_equal(decode_mask(item.mask_rle), shown == int(item.label_source))
