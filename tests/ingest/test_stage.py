"""The stage as a whole: tables, figures, determinism, and how it stops."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
import yaml

from stages.core.params import ParamError
from stages.core.records import ItemError, Sample, to_row
from stages.core.shards import read_table
from stages.core.stage import StageError
from stages.ingest.__main__ import main
from stages.ingest.run import ingest
from tests.ingest.sources import block, card_content, save, stage_params, write_card, write_case


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in, with one good case in its dataset."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_TRACKING", "off")
    write_case(tmp_path / "root", "a")
    return tmp_path


def table_digest(folder: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.rglob("*.parquet")))).hexdigest()


def test_the_stage_writes_samples_errors_and_every_figure(workplace: Path) -> None:
    write_case(workplace / "root", "b")
    (workplace / "root/stray.txt").write_text("?")
    (workplace / "root/images/b.png").write_text("broken")
    figures = ingest("tiny", stage_params(workplace, card_content(), max_error_rate=0.5))
    assert figures == {
        "images": 1,
        "cases": 1,
        "patients": 1,
        "objects": 3,
        "labels": {"heart": 1, "lung opacity": 2},
        "errors": {"unreadable_image": 1},
        "flags": {"duplicate_images": 0, "near_duplicate_images": 0, "unmatched_files": 1},
        "privacy": {"private_key": 0, "public_key": 1, "dropped": {}},
    }
    (sample,) = read_table("data/samples/tiny/samples", Sample)
    assert sample.sample_id == "tiny/a/frontal"
    (error,) = read_table("data/samples/tiny/errors", ItemError)
    assert (error.item_id, error.stage, error.kind, error.file) == ("tiny/b", "ingest", "unreadable_image", "images/b.png")


def test_one_worker_and_two_give_the_same_bytes(workplace: Path) -> None:
    for case in "bcdef":
        write_case(workplace / "root", case)
    save(workplace / "root/masks/c_opacity2.png", block((0, 0, 0, 0)))
    params = stage_params(workplace, card_content())
    ingest("tiny", params)
    first = table_digest(Path("data/samples/tiny"))
    ingest("tiny", dataclasses.replace(params, engine=dataclasses.replace(params.engine, workers=2)))
    assert table_digest(Path("data/samples/tiny")) == first


def test_pictures_that_are_equal_are_counted(workplace: Path) -> None:
    write_case(workplace / "root", "b")
    (workplace / "root/images/b.png").write_bytes((workplace / "root/images/a.png").read_bytes())
    assert ingest("tiny", stage_params(workplace, card_content()))["flags"]["duplicate_images"] == 1


def test_cases_of_one_patient_share_a_hashed_id(workplace: Path) -> None:
    write_case(workplace / "root", "b")
    files = dict(card_content()["files"], image=["images/{case:(?P<patient>[ab])}.png"])
    assert ingest("tiny", stage_params(workplace, card_content(files=files)))["patients"] == 2
    files = dict(card_content()["files"], image=["{patient:images}/{case}.png"])
    assert ingest("tiny", stage_params(workplace, card_content(files=files)))["patients"] == 1


def test_two_files_of_one_case_and_view_are_an_error_and_not_an_overwrite(workplace: Path) -> None:
    save(workplace / "root/images/a.bmp", block((0, 0, 9, 9)))
    files = dict(card_content()["files"], image=["images/{case}.png", "images/{case}.bmp"])
    figures = ingest("tiny", stage_params(workplace, card_content(files=files), max_error_rate=0.5))
    assert (figures["images"], figures["errors"]) == (1, {"duplicate_id": 1})


def test_too_many_faults_stop_the_stage_with_their_list_after_the_errors_are_written(workplace: Path) -> None:
    write_case(workplace / "root", "b")
    (workplace / "root/images/b.png").write_text("broken")
    with pytest.raises(StageError, match=r"(?s)1 of 2 items failed.*unreadable_image: images/b.png") as caught:
        ingest("tiny", stage_params(workplace, card_content(), max_error_rate=0.2))
    assert "ingest.max_error_rate" in str(caught.value)
    assert len(read_table("data/samples/tiny/errors", ItemError)) == 1


def test_a_missing_folder_names_the_folder_the_key_and_the_remedy(workplace: Path) -> None:
    params = stage_params(workplace, card_content())
    spec = dataclasses.replace(params.datasets["tiny"], root="nowhere")
    with pytest.raises(StageError, match=r"folder nowhere of tiny.*datasets\.tiny\.root.*https://example.org"):
        ingest("tiny", dataclasses.replace(params, datasets={"tiny": spec}))


def test_a_folder_where_nothing_fits_is_an_error(workplace: Path) -> None:
    files = {"image": ["pictures/{case}.png"], "mask": [], "other": []}
    with pytest.raises(StageError, match="holds no item"):
        ingest("tiny", stage_params(workplace, card_content(files=files)))


def test_an_unknown_dataset_names_the_known_ones(workplace: Path) -> None:
    with pytest.raises(StageError, match="'huge' is not in params.yaml.*tiny"):
        ingest("huge", stage_params(workplace, card_content()))


def test_a_card_of_another_name_is_refused(workplace: Path) -> None:
    with pytest.raises(ParamError, match="'other', but params.yaml calls the dataset 'tiny'"):
        ingest("tiny", stage_params(workplace, card_content(name="other")))


def test_an_unknown_reader_names_the_known_ones(workplace: Path) -> None:
    with pytest.raises(ParamError, match="no reader 'dicom'; there are .*picture_label_map"):
        ingest("tiny", stage_params(workplace, card_content(reader="dicom")))


def test_the_command_reads_params_and_writes_the_metrics_file(workplace: Path) -> None:
    params = stage_params(workplace, card_content())
    Path("params.yaml").write_text(yaml.safe_dump(to_row(params)), encoding="utf-8")
    main(["tiny"])
    figures = json.loads(Path("metrics/ingest/tiny.json").read_text(encoding="utf-8"))
    assert figures["objects"] == 3


def test_check_of_a_missing_folder_ends_with_one_message(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(to_row(stage_params(workplace, card_content()))), encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["--check", str(write_card(workplace, card_content())), "--root", "nowhere"])
    assert "the folder nowhere of tiny is not there" in capsys.readouterr().err


def test_patients_of_the_sources_own_split_carry_it_to_the_table_and_the_figures(workplace: Path) -> None:
    files = dict(card_content()["files"], image=["{split:images}/{case}.png"])
    content = card_content(files=files, official_split={"test": ["images"], "train": ["other"]})
    figures = ingest("tiny", stage_params(workplace, content))
    assert figures["source_split"] == {"test": 1}
    assert [sample.source_split for sample in read_table("data/samples/tiny/samples", Sample)] == ["test"]


def test_the_stage_shows_a_progress_bar_with_rate_and_remaining_time(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ingest("tiny", stage_params(workplace, card_content()))
    shown = capsys.readouterr().err
    assert "ingest tiny: 100%" in shown and "item/s" in shown and "00:00<" in shown
