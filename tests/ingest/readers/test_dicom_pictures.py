"""Single DICOM pictures: grey values, colours, sides, pixel sizes, masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing
from pydicom.sequence import Sequence

from stages.core.geometry import decode_mask
from tests.ingest.readers.dicom_sources import dicom_card, pixels_of, write_radiograph, write_seg
from tests.ingest.readers.test_dicom_series import fault_of, samples_of
from tests.ingest.sources import block, grey, save

MASK = block((30, 10, 50, 30))


def xray_card(**changes: Any) -> dict[str, Any]:
    """Radiographs with a mask picture of the heart each."""
    base = {
        "files": {"image": ["{case}.dcm"], "mask": ["{case}_{label}.png"], "other": []},
        "labels": {"heart": {"sources": ["heart"], "semantic": False}},
        "annotated_labels": ["heart"],
        "modality": "X-ray",
        "view": "frontal",
        "intensity": {"kind": "stored"},
    }
    return dicom_card(**(base | {"slices": None} | changes))


def write_case(folder: Path, pixels: np.ndarray | None = None, meaning: str = "MONOCHROME2", **values: Any) -> np.ndarray:
    """One radiograph "a" and its mask."""
    shown = grey() if pixels is None else pixels
    write_radiograph(folder / "root/a.dcm", shown, meaning, **values)
    save(folder / "root/a_heart.png", MASK)
    return shown


@pytest.mark.parametrize(
    ("orientation", "card", "left"),
    [
        (["L", "F"], "patient_left", "patient_right"),  # the header goes before the card
        (["R", "F"], None, "patient_left"),
        (["LA", "FP"], None, "patient_right"),
        (["A", "F"], "patient_right", None),  # a lateral view has no side at its left
        (None, "patient_right", "patient_right"),
        (None, None, None),
    ],
)
def test_the_header_says_which_side_of_the_patient_is_left(tmp_path: Path, orientation: list[str] | None, card: str | None, left: str | None) -> None:
    write_case(tmp_path, **({"PatientOrientation": orientation} if orientation else {}))
    (sample,) = samples_of(tmp_path, xray_card(image_left_is=card))
    assert sample.image_left_is == left
    assert sample.sample_id == "tiny/a/frontal"
    assert np.array_equal(decode_mask(sample.objects[0].mask_rle), MASK > 0)


def test_a_picture_that_stands_on_its_head_is_flagged(tmp_path: Path) -> None:
    write_case(tmp_path, PatientOrientation=["L", "H"])
    assert samples_of(tmp_path, xray_card())[0].flags == ["upside_down"]


def test_low_values_are_bright_where_the_header_says_so(tmp_path: Path) -> None:
    pixels = write_case(tmp_path, meaning="MONOCHROME1")
    (sample,) = samples_of(tmp_path, xray_card())
    assert np.array_equal(pixels_of(sample), 255 - pixels)
    assert json.loads(sample.transform) == {"inverted": True, "kind": "stored"}


@pytest.mark.parametrize(
    ("values", "spacing", "source", "flags"),
    [
        ({"ImagerPixelSpacing": [0.2, 0.3]}, [0.2, 0.3], "ImagerPixelSpacing", ["spacing_at_detector"]),
        ({"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.2, 0.2]}, [0.1, 0.1], "PixelSpacing", []),
        ({"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.2, 0.2]}, [0.2, 0.2], "ImagerPixelSpacing", ["spacing_at_detector"]),
        ({"PixelSpacing": [0, 0.2]}, None, None, []),
        ({}, None, None, []),
    ],
)
def test_the_pixel_size_says_where_it_comes_from(tmp_path: Path, values: dict[str, Any], spacing: list[float] | None, source: str | None, flags: list[str]) -> None:
    write_case(tmp_path, **values)
    (sample,) = samples_of(tmp_path, xray_card())
    assert (sample.spacing_mm, json.loads(sample.transform).get("spacing_from"), sample.flags) == (spacing, source, flags)


def test_an_ultrasound_region_gives_the_pixel_size(tmp_path: Path) -> None:
    region = Dataset()
    region.RegionSpatialFormat, region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection = 1, 3, 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, 0.03
    write_case(tmp_path, SequenceOfUltrasoundRegions=Sequence([region]))
    assert samples_of(tmp_path, xray_card())[0].spacing_mm == pytest.approx([0.3, 0.2])


def test_the_window_of_the_header_follows_the_standard(tmp_path: Path) -> None:
    pixels = np.tile(np.arange(60, dtype=np.uint16) * 20, (40, 1))
    for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        write_case(tmp_path, pixels, WindowCenter=600, WindowWidth=37, VOILUTFunction=function)
        shown = pixels_of(samples_of(tmp_path, xray_card(intensity={"kind": "header"}))[0])
        peer = apply_windowing(pixels, pydicom.dcmread(tmp_path / "root/a.dcm"))
        assert np.array_equal(shown, np.rint(peer / 65535 * 255))


def test_a_look_up_table_of_the_header_is_used(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [256, 0, 12], (np.arange(255, -1, -1) * 16).astype("<u2").tobytes()
    table.add_new(0x00283006, "OW", table.LUTData)
    pixels = write_case(tmp_path, VOILUTSequence=Sequence([table]))
    (sample,) = samples_of(tmp_path, xray_card(intensity={"kind": "header"}))
    assert np.array_equal(pixels_of(sample), np.rint((255.0 - pixels) * 16 / 4095 * 255))


def test_wide_pictures_without_a_rule_are_brought_to_8_bit_and_flagged(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(500, 4000, (40, 60)).astype(np.uint16)
    write_case(tmp_path, pixels)
    (sample,) = samples_of(tmp_path, xray_card())
    assert sample.flags == ["more_than_8_bit"]
    assert (pixels_of(sample).min(), pixels_of(sample).max()) == (0, 255)


def test_colours_stay_and_ybr_becomes_rgb(tmp_path: Path) -> None:
    from pydicom.pixels import convert_color_space

    rgb = np.random.default_rng(0).integers(60, 200, (40, 60, 3)).astype(np.uint8)
    write_case(tmp_path, rgb, "RGB")
    assert np.array_equal(pixels_of(samples_of(tmp_path, xray_card())[0]), rgb)
    write_case(tmp_path, convert_color_space(rgb, "RGB", "YBR_FULL"), "YBR_FULL")
    assert np.abs(pixels_of(samples_of(tmp_path, xray_card())[0]).astype(int) - rgb).max() <= 2


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    tables = {f"{colour}PaletteColorLookupTableDescriptor": [256, 0, 16] for colour in ("Red", "Green", "Blue")}
    for colour, values in (("Red", np.arange(256)), ("Green", np.arange(255, -1, -1)), ("Blue", np.full(256, 7))):
        tables[f"{colour}PaletteColorLookupTableData"] = (values.astype("<u2") << 8).tobytes()
    pixels = write_case(tmp_path, None, "PALETTE COLOR", **tables)
    expected = np.stack([pixels, 255 - pixels, np.full_like(pixels, 7)], axis=-1)
    assert np.array_equal(pixels_of(samples_of(tmp_path, xray_card())[0]), expected)


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({"BurnedInAnnotation": "YES"}, ["burned_in_annotation"]),
        ({"BurnedInAnnotation": "NO", "Modality": "US"}, []),
        ({"Modality": "US"}, ["burned_in_annotation"]),
        ({}, []),
    ],
)
def test_text_that_is_or_may_be_in_the_pixels_is_flagged(tmp_path: Path, values: dict[str, Any], flags: list[str]) -> None:
    write_case(tmp_path, **values)
    assert samples_of(tmp_path, xray_card())[0].flags == flags


def test_a_film_needs_a_chosen_frame(tmp_path: Path) -> None:
    frames = np.stack([grey(seed=seed) for seed in range(3)])
    write_case(tmp_path)
    dataset = pydicom.dcmread(tmp_path / "root/a.dcm")
    dataset.NumberOfFrames, dataset.PixelData = 3, frames.tobytes()
    dataset.save_as(tmp_path / "root/a.dcm")
    kind, cause = fault_of(tmp_path, xray_card())
    assert (kind, "3 frames" in cause) == ("not_3d", True)
    assert np.array_equal(pixels_of(samples_of(tmp_path, xray_card(channel=2))[0]), frames[2])


def test_a_mask_of_another_size_is_a_fault(tmp_path: Path) -> None:
    write_case(tmp_path)
    save(tmp_path / "root/a_heart.png", block((1, 1, 9, 9), height=20))
    assert fault_of(tmp_path, xray_card())[0] == "mask_size"


def test_a_segmentation_of_a_radiograph_goes_with_the_picture_that_it_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_radiograph(tmp_path / f"root/{name}.dcm", grey(seed=ord(name)), PatientOrientation=["L", "F"], Laterality="")
    (tmp_path / "out").mkdir()
    for name in ("a", "b"):
        write_seg(tmp_path / f"root/{name}.seg", [tmp_path / f"root/{name}.dcm"], {"heart": MASK[np.newaxis] > 0})
    files = {"image": ["{file}.dcm"], "mask": ["{file}.seg"], "other": []}
    samples = samples_of(tmp_path, xray_card(files=files))
    assert len({sample.case_id for sample in samples}) == 2
    assert all(np.array_equal(decode_mask(sample.objects[0].mask_rle), MASK > 0) for sample in samples)
