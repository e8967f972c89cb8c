"""Sides and millimetres of real volumes against readings of their headers that share no code with the pipeline."""

from __future__ import annotations

import gzip
import itertools
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.anchor.derive import derive
from stages.core.geometry import decode_mask
from stages.core.params import load_params
from stages.core.records import Anchor, Sample
from stages.core.shards import read_table

REPO = Path(__file__).resolve().parents[2]
REAL = Path(os.environ.get("MEDGROUND_REAL_DATA", REPO / "../shared/data")).resolve()
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory):
    """Samples of a real set, made by the ingest stage as a user runs it, with their anchors."""

    def run(name: str) -> list[tuple[Sample, list[Anchor]]]:
        if not (REAL / name).is_dir():
            pytest.skip(f"real data not here: {name} under {REAL} (set MEDGROUND_REAL_DATA)")
        folder = tmp_path_factory.mktemp(name)
        block = f"datasets:\n  {name}:\n    card: data/cards/{name}.yaml\n    root: {REAL / name}\n"
        params = re.sub(r"datasets:\n(?:  .*\n)+", block, (REPO / "params.yaml").read_text())
        (folder / "params.yaml").write_text(params)
        (folder / "data").mkdir()
        (folder / "data/cards").symlink_to(REPO / "data/cards")
        environment = {**os.environ, "PYTHONPATH": str(REPO), "MEDGROUND_TRACKING": "off"}
        subprocess.run([sys.executable, "-m", "stages.ingest", name], cwd=folder, env=environment, check=True, capture_output=True)
        samples = read_table(folder / "data/samples" / name / "samples", Sample)
        settings = load_params(REPO / "params.yaml").anchor
        return [(sample, derive(sample, settings).anchors) for sample in samples]

    return run


def _greatest_diameter_mm(mask: np.ndarray, spacing_mm: list[float]) -> float:
    """Largest distance of two pixel corners, over all pairs of corners of the outermost pixels of each row."""
    rows = np.flatnonzero(mask.any(axis=1))
    ends = [(row, np.flatnonzero(mask[row])[[0, -1]]) for row in rows]
    corners = np.array([(y, x) for row, (first, last) in ends for y in (row, row + 1) for x in (first, last + 1)]) * spacing_mm
    return float(max(np.linalg.norm(corners - corner, axis=1).max() for corner in corners))


def _check_lengths(anchor: Anchor, spacing_mm: list[float]) -> None:
    mask = decode_mask(anchor.mask_rle)
    assert anchor.area_mm2 == pytest.approx(mask.sum() * spacing_mm[0] * spacing_mm[1], rel=1e-4)
    assert anchor.length_mm == pytest.approx(_greatest_diameter_mm(mask, spacing_mm), rel=1e-4)


def test_nifti_sides_and_millimetres_are_those_of_the_files_header(ingested) -> None:
    pairs = 0
    for sample, anchors in ingested("msd_hippocampus")[:24]:
        (path,) = [file.path for file in sample.source_files if "/labels/" in file.path]
        content = gzip.decompress((REAL / "msd_hippocampus" / path).read_bytes())
        shape, pixdim = struct.unpack_from("<3h", content, 42), struct.unpack_from("<8f", content, 76)
        srow = np.array(struct.unpack_from("<12f", content, 280)).reshape(3, 4)
        offset = int(struct.unpack_from("<f", content, 108)[0])
        codes = np.frombuffer(content, np.uint8, int(np.prod(shape)), offset).reshape(shape, order="F")[:, :, sample.slice_index]
        world = {}
        for anchor in anchors:
            _check_lengths(anchor, [pixdim[2], pixdim[1]])
            # The same pixels, in the file's own axes: shown are its columns and rows turned to the radiological view.
            i, j = np.nonzero(decode_mask(anchor.mask_rle).T[::-1, ::-1])
            assert set(np.unique(codes[i, j])) == {1 if anchor.label.startswith("anterior") else 2}
            world[anchor.anchor_id] = srow[:, :3] @ [i.mean(), j.mean(), sample.slice_index] + srow[:, 3]  # x to the right, y to the front
            assert anchor.location.patient_side is None  # a crop: its halves are not the patient's sides
        for a, b in itertools.combinations(anchors, 2):
            to_left, to_back = -(world[b.anchor_id] - world[a.anchor_id])[:2]
            assert sample.image_left_is == "patient_right"
            assert (b.centroid_xy_px[0] - a.centroid_xy_px[0]) * pixdim[1] == pytest.approx(to_left, abs=1e-3)
            assert (b.centroid_xy_px[1] - a.centroid_xy_px[1]) * pixdim[2] == pytest.approx(to_back, abs=1e-3)
            pairs += 1
    assert pairs >= 8


def test_dicom_sides_and_millimetres_are_those_of_the_slices_headers(ingested) -> None:
    pydicom = pytest.importorskip("pydicom")
    folder = REAL / "ct_liver_dicom_seg/data/segmentations"
    scenes = ingested("ct_liver_dicom_seg")
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted((folder / "ct-3slice").glob("*.dcm"))]
    segmentation = pydicom.dcmread(folder / "liver.dcm")
    frames = segmentation.pixel_array.reshape(-1, segmentation.Rows, segmentation.Columns)
    heights = [float(group.PlanePositionSequence[0].ImagePositionPatient[2]) for group in segmentation.PerFrameFunctionalGroupsSequence]
    headers.sort(key=lambda header: float(header.ImagePositionPatient[2]))
    assert len(scenes) == len(headers) == 3
    for sample, anchors in scenes:
        header = headers[sample.slice_index]
        spacing, corner = [float(v) for v in header.PixelSpacing], np.array(header.ImagePositionPatient, float)
        assert [float(v) for v in header.ImageOrientationPatient] == [1, 0, 0, 0, 1, 0]  # columns to the patient's left, rows to the back
        assert sample.spacing_mm == pytest.approx(spacing) and sample.image_left_is == "patient_right"
        (liver,) = [anchor for anchor in anchors if anchor.label == "liver"]
        (vertebra,) = [anchor for anchor in anchors if anchor.label == "vertebra"]
        for anchor in anchors:
            _check_lengths(anchor, spacing)
        frame = frames[int(np.argmin(np.abs(np.array(heights) - corner[2])))]
        agree = (decode_mask(liver.mask_rle) & (frame > 0)).sum() / (frame > 0).sum()
        assert agree > 0.999  # strays apart
        left_of_patient = {a.label: corner[0] + a.centroid_xy_px[0] * spacing[1] for a in (liver, vertebra)}
        assert left_of_patient["liver"] < left_of_patient["vertebra"] - 20  # the liver lies to the patient's right of the spine
        assert (liver.location.patient_side, vertebra.location.patient_side) == ("right", "midline")
        assert liver.centroid_xy_px[1] < vertebra.centroid_xy_px[1]  # in front of it
