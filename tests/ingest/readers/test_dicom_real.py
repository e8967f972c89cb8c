"""The DICOM example of dcmqi: pixels and masks against the bytes of the files, read without the readers."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path

import numpy as np
import pydicom
import pytest

from stages.core.geometry import decode_mask
from stages.core.records import Sample
from stages.core.volume import window_to_8bit
from stages.ingest.blocks import FilePatterns, LabelSource
from stages.ingest.readers import READERS
from stages.ingest.readers.base import Source
from stages.ingest.readers.dicom_files import open_dataset
from stages.ingest.readers.dicom_grid import build_grid, slices_of
from stages.ingest.readers.dicom_seg import read_segments
from stages.ingest.samples import ingest_case
from tests.ingest.readers.dicom_sources import pixels_of
from tests.ingest.test_real import centre_x, first_samples, open_real

NAME = "ct_liver_dicom_seg"
DATA = "data/segmentations"
pytestmark = pytest.mark.real


def nrrd(path: Path) -> np.ndarray:
    """Values [z, y, x] of the source's NRRD files: short, little endian, gzip, axes in LPS with z upwards."""
    header, _, content = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in header.decode().splitlines() if ": " in line)
    assert (fields["type"], fields["space"], fields["encoding"]) == ("short", "left-posterior-superior", "gzip")
    return np.frombuffer(gzip.decompress(content), "<i2").reshape([int(side) for side in fields["sizes"].split()][::-1])


def seg_bits(path: Path) -> tuple[np.ndarray, list[tuple[int, float]]]:
    """Raw frames of a SEG, unpacked bit by bit, and (segment, z) of each."""
    dataset = pydicom.dcmread(path)
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    groups = dataset.PerFrameFunctionalGroupsSequence
    frames = bits[: len(groups) * 512 * 512].reshape(-1, 512, 512).astype(bool)
    places = [(int(g.SegmentIdentificationSequence[0].ReferencedSegmentNumber), float(g.PlanePositionSequence[0].ImagePositionPatient[2])) for g in groups]
    return frames, places


def all_samples() -> tuple[Source, list[Sample]]:
    source, found = open_real(NAME)
    return source, first_samples(source, found, 1)


def test_the_counts_agree_with_the_raw_frames() -> None:
    source, samples = all_samples()
    frames, _ = seg_bits(source.root / f"{DATA}/liver.dcm")
    spine = nrrd(source.root / f"{DATA}/spine_seg.nrrd") == 2
    areas = {label: sum(int(decode_mask(o.mask_rle).sum()) for s in samples for o in s.objects if o.label == label) for label in ("liver", "vertebra")}
    assert len(samples) == 3
    assert areas == {"liver": int(frames.sum()), "vertebra": int(spine.sum())}


def test_masks_are_those_that_the_segmentation_was_made_from_and_pixels_those_of_the_files() -> None:
    source, samples = all_samples()
    liver, spine = nrrd(source.root / f"{DATA}/liver_seg.nrrd"), nrrd(source.root / f"{DATA}/spine_seg.nrrd")
    for sample in samples:
        masks = {item.label: decode_mask(item.mask_rle) for item in sample.objects}
        assert np.array_equal(masks["liver"], liver[sample.slice_index] == 1)
        assert np.array_equal(masks["vertebra"], spine[sample.slice_index] == 2)
        raw = (source.root / f"{DATA}/ct-3slice/0{3 - sample.slice_index}.dcm").read_bytes()[-512 * 512 * 2 :]  # 03 lies lowest
        hu = np.frombuffer(raw, "<i2").reshape(512, 512).astype(int) - 1024
        assert np.array_equal(pixels_of(sample), window_to_8bit(hu, -115, 235))


def test_the_liver_lies_at_the_picture_left_and_the_spine_at_the_bottom_middle() -> None:
    _, samples = all_samples()
    for sample in samples:
        item = {item.label: item for item in sample.objects}
        assert centre_x(item["liver"]) < 200 < centre_x(item["vertebra"]) < 300
        assert np.nonzero(decode_mask(item["vertebra"].mask_rle))[0].mean() > 256
        assert (sample.image_left_is, sample.plane) == ("patient_right", "axial")
        assert sample.spacing_mm == pytest.approx([0.810547, 0.810547])
        assert sample.annotated_labels == ["liver", "vertebra"]


def test_the_invented_overlapping_segments_equal_their_raw_frames_and_label_maps() -> None:
    source, _ = open_real(NAME)
    files = sorted((source.root / f"{DATA}/ct-3slice").glob("*.dcm"))
    grid = build_grid([item for file in files for item in slices_of(open_dataset(file, file.name), file.name)], None)
    path = source.root / f"{DATA}/partial_overlaps.dcm"
    regions = read_segments(open_dataset(path, path.name), grid, [item.sop_uid for item in grid.slices], (512, 512), path.name, 10**8)
    assert [region.names[0] for region in regions] == ["GREEN", "ORANGE", "PURPLE", "LIGHT_BLUE", "DARK_BLUE"]
    frames, places = seg_bits(path)
    heights = [float(item.position[2]) for item in grid.slices]
    assert heights == sorted(heights)
    for frame, (segment, z) in zip(frames, places, strict=True):
        assert np.array_equal(regions[segment - 1].masks[int(np.argmin(np.abs(np.array(heights) - z)))], frame)
    maps = [nrrd(source.root / f"{DATA}/partial_overlaps-{number}.nrrd") for number in (1, 2, 3)]
    for region, codes, value in ((regions[0], maps[0], 1), (regions[3], maps[0], 4), (regions[4], maps[0], 5), (regions[1], maps[1], 2)):
        assert sum(int(mask.sum()) for mask in region.masks.values()) == int((codes == value).sum())
        assert all(np.array_equal(mask, codes[index] == value) for index, mask in region.masks.items())
    assert (regions[0].masks[1] & regions[2].masks[1]).any() or (regions[1].masks[1] & regions[2].masks[1]).any()


def test_overlapping_segments_of_one_picture_stay_apart_as_samples() -> None:
    source, _ = open_real(NAME)
    card = dataclasses.replace(
        source.card,
        files=FilePatterns([f"{DATA}/ct-3slice/*.dcm"], [f"{DATA}/partial_overlaps.dcm"], []),
        labels={"liver": LabelSource(["GREEN"], True), "heart": LabelSource(["ORANGE"], True), "spleen": LabelSource(["PURPLE"], True)},
        ignored_sources=["LIGHT_BLUE", "DARK_BLUE"],
        annotated_labels=[],
    )
    overlapping = Source(card, source.root, source.limits)
    (case,) = READERS["dicom_series"].find(card, source.root).cases
    result = ingest_case((case, overlapping))
    middle = next(sample for sample in result.samples if sample.slice_index == 1)
    frames, places = seg_bits(source.root / f"{DATA}/partial_overlaps.dcm")
    for label, segment in (("liver", 1), ("heart", 2), ("spleen", 3)):
        (item,) = [item for item in middle.objects if item.label == label]
        (frame,) = [frame for frame, (number, z) in zip(frames, places, strict=True) if number == segment and abs(z + 127.69) < 0.01]
        assert np.array_equal(decode_mask(item.mask_rle), frame)
