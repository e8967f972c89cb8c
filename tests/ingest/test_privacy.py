"""Nothing that names a patient leaves ingest: planted names are sought in every byte that it writes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image, PngImagePlugin

from stages.core.params import ParamError
from stages.core.records import ItemError, Sample, to_row
from stages.core.shards import read_table
from stages.core.stage import StageError, write_metrics
from stages.ingest.privacy import KEY_VARIABLE, alias_of, keyed_hash
from stages.ingest.readers.dicom_identity import describe_alias, identifying_attributes, identifying_tags
from stages.ingest.run import ingest
from tests.ingest.readers.dicom_sources import PATIENT, block_mask, ct_values, dicom_card, write_seg, write_series
from tests.ingest.sources import card_content, grey, stage_params, write_case

KEY = "a secret of the hospital, long enough"
PLANTED = [*PATIENT.values(), "Zebra", "Quentin", "20190812", "Wombat", "Ward 17", "1.2.826.0.1.3680043"]
SHAPE = (5, 24, 32)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in, without a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    return tmp_path


def plant(folder: Path, label: str = "Liver") -> None:
    """A series and its SEG whose names, headers and private elements tell who the patient is."""
    series = write_series(folder / "root/Zebra^Quentin", ct_values(), InstitutionName="Ward 17", ReferringPhysicianName="Wombat^W", StudyDescription="Zebra liver")
    for path in series:
        dataset = pydicom.dcmread(path)
        block = dataset.private_block(0x0011, "Wombat vendor", create=True)
        block.add_new(0x01, "LO", "Zebra^Quentin")
        dataset.save_as(path)
    write_seg(folder / "root/Zebra_seg.dcm", series, {label: block_mask(SHAPE, (1, 4, 4, 20, 3, 25))})


def everything_written(folder: Path, figures: dict[str, Any]) -> bytes:
    """All bytes of tables and metrics, and all rows in plain text, since tables are compressed."""
    write_metrics(folder / "metrics/ingest/tiny.json", figures)
    files = [*(folder / "data").rglob("*.parquet"), *(folder / "metrics").rglob("*")]
    rows = [to_row(row) for kind, record in (("samples", Sample), ("errors", ItemError)) for row in read_table(f"data/samples/tiny/{kind}", record)]
    content = b"".join(path.read_bytes() for path in files if path.is_file())
    return content + repr(rows).encode()


def test_no_planted_name_number_or_date_is_in_any_output_or_log(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    plant(workplace)
    (workplace / "root/Zebra_broken.dcm").write_bytes((workplace / "root/Zebra^Quentin/001").read_bytes()[:600])
    figures = ingest("tiny", stage_params(workplace, dicom_card(deidentified=False), max_error_rate=0.9))
    assert figures["images"] == 3
    assert figures["errors"] == {"unreadable_image": 1}
    captured = capsys.readouterr()
    content = everything_written(workplace, figures) + captured.out.encode() + captured.err.encode() + caplog.text.encode()
    assert [text for text in [*PLANTED, KEY] if text.encode() in content] == []


def test_a_fault_about_a_segment_does_not_quote_its_label_and_the_owner_can_look_it_up(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    plant(workplace, label="Liver of Zebra")
    labels = {"heart": {"sources": ["Heart"], "semantic": True}}
    with pytest.raises(StageError) as caught:
        ingest("tiny", stage_params(workplace, dicom_card(deidentified=False, labels=labels, annotated_labels=["heart"])))
    assert "'SCT:" in str(caught.value) and "Zebra" not in str(caught.value)
    (error,) = read_table("data/samples/tiny/errors", ItemError)
    assert error.file == alias_of("Zebra_seg.dcm")
    assert describe_alias(workplace / "root", error.file) == ["Zebra_seg.dcm", "segment 1: Liver of Zebra"]


def test_the_figures_list_what_was_left_behind_and_whose_key_was_used(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    plant(workplace)
    privacy = ingest("tiny", stage_params(workplace, dicom_card(deidentified=False)))["privacy"]
    assert (privacy["private_key"], privacy["public_key"]) == (1, 0)
    expected = {"PatientName": 6, "PatientID": 6, "PatientBirthDate": 6, "AccessionNumber": 6, "StudyDate": 6, "InstitutionName": 6}
    assert {key: privacy["dropped"].get(key) for key in expected} == expected
    assert privacy["dropped"]["PrivateAttributes"] == 5
    assert "ImagePositionPatient" not in privacy["dropped"]


def test_identities_that_may_be_there_need_a_key_of_ones_own(workplace: Path) -> None:
    plant(workplace)
    with pytest.raises(ParamError, match=rf"(?s)tiny: .*{KEY_VARIABLE}.*deidentified: true"):
        ingest("tiny", stage_params(workplace, dicom_card(deidentified=False)))


def test_the_public_key_is_enough_where_the_header_or_the_card_says_that_identities_were_removed(workplace: Path) -> None:
    plant(workplace)
    assert ingest("tiny", stage_params(workplace, dicom_card()))["privacy"]["public_key"] == 1
    for path in [*(workplace / "root").rglob("*")]:
        if path.is_file():
            dataset = pydicom.dcmread(path)
            dataset.PatientIdentityRemoved = "YES"
            dataset.save_as(path)
    assert ingest("tiny", stage_params(workplace, dicom_card(deidentified=False)))["images"] == 3


def test_the_key_decides_the_ids_and_one_key_gives_the_same_ids(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(workplace)
    ids = []
    for key in (KEY, KEY, KEY + "!"):
        monkeypatch.setenv(KEY_VARIABLE, key)
        ingest("tiny", stage_params(workplace, dicom_card(deidentified=False)))
        ids.append({(row.case_id, row.patient_id, row.source_files[0].path) for row in read_table("data/samples/tiny/samples", Sample)})
    assert ids[0] == ids[1]
    assert ids[0] != ids[2]


def test_patients_of_pictures_are_hashed_with_the_key_too(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_case(workplace / "root", "a")
    seen = set()
    for key in (None, KEY):
        monkeypatch.setenv(KEY_VARIABLE, key) if key else monkeypatch.delenv(KEY_VARIABLE, raising=False)
        ingest("tiny", stage_params(workplace, card_content()))
        seen |= {row.patient_id for row in read_table("data/samples/tiny/samples", Sample)}
    assert len(seen) == 2


@pytest.mark.parametrize("key", ["", "too short"])
def test_a_key_that_can_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv(KEY_VARIABLE, key)
    with pytest.raises(ParamError, match="expected at least 16"):
        keyed_hash("patient")


def test_patients_of_dicom_files_cannot_be_left_unhashed(workplace: Path) -> None:
    plant(workplace)
    with pytest.raises(ParamError, match="hash_patients must be true"):
        ingest("tiny", stage_params(workplace, dicom_card(hash_patients=False)))


def test_every_identifying_attribute_is_known_and_nested_and_unparsed_ones_are_found() -> None:
    keywords = set(identifying_tags().values())
    assert len(keywords) > 600
    assert {"PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID", "InstitutionName", "ROIName"} <= keywords
    assert not {"PixelData", "PixelSpacing", "Rows", "Modality"} & keywords
    dataset, item = pydicom.Dataset(), pydicom.Dataset()
    item.PatientName = "Zebra"
    dataset.SharedFunctionalGroupsSequence = [item]
    dataset.PatientID = ""
    dataset.add_new(0x60003000, "OW", b"ab")
    dataset.add_new(0x00110010, "LO", "vendor")
    assert identifying_attributes(dataset) == {"PatientName", "OverlayData", "PrivateAttributes"}
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, implicit_vr=True, little_endian=True)
    buffer.seek(0)
    assert identifying_attributes(pydicom.dcmread(buffer, force=True)) >= {"PatientName", "OverlayData", "PrivateAttributes"}


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
def test_names_in_the_metadata_of_pictures_do_not_reach_the_samples(workplace: Path, kind: str) -> None:
    write_case(workplace / "root", "a")
    (workplace / "root/images/a.png").unlink()
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = "Zebra^Quentin", "Wombat"  # ImageDescription, Artist
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", "Zebra^Quentin MRN-4711-0815")
    options = {"pnginfo": text} if kind == "png" else {}
    path = workplace / f"root/images/a.{kind}"
    Image.fromarray(grey()).save(path, exif=exif, **options)
    assert b"Zebra" in path.read_bytes()
    files = dict(card_content()["files"], image=[f"images/{{case}}.{kind}"])
    figures = ingest("tiny", stage_params(workplace, card_content(files=files)))
    content = everything_written(workplace, figures)
    assert [text for text in PLANTED if text.encode() in content] == []
    (sample,) = read_table("data/samples/tiny/samples", Sample)
    assert np.asarray(Image.open(io.BytesIO(sample.image))).shape == (40, 60)
    assert json.dumps(figures)
