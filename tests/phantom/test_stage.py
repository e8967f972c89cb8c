"""The stage: layouts on disk, the same bytes for any number of workers, and how it refuses."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.core.params import EngineParams, ParamError, Params, PhantomParams, load_params
from stages.phantom.__main__ import main, write_dataset
from stages.phantom.write import PHANTOMS, case_of

ROOT = Path(__file__).resolve().parents[2]


def params_for(name: str, cases: int, workers: int = 1, seed: int = 7) -> Params:
    return dataclasses.replace(load_params(ROOT / "params.yaml"), seed=seed, engine=EngineParams(workers, "processes", None), phantom=PhantomParams(cases={name: cases}))


def digests(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(root.rglob("*.*"))}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_TRACKING", "off")
    return tmp_path


def written(workplace: Path, name: str, cases: int, **more: int) -> Path:
    write_dataset(params_for(name, cases, **more), name)
    return workplace / "data/raw" / name


@pytest.mark.parametrize("name", sorted(PHANTOMS))
def test_the_same_bytes_for_one_worker_and_two_and_other_bytes_for_another_seed(workplace: Path, name: str) -> None:
    alone = digests(written(workplace, name, 2))
    assert digests(written(workplace, name, 2, workers=2)) == alone
    other = digests(written(workplace, name, 2, seed=8))
    assert not set(alone.values()) & set(other.values()) - {alone.get("subjects.csv"), alone.get("dataset.json")}


@pytest.mark.parametrize("name", sorted(PHANTOMS))
def test_a_case_does_not_depend_on_how_many_others_there_are(workplace: Path, name: str) -> None:
    few = digests(written(workplace, name, 1))
    more = digests(written(workplace, name, 2))
    index = {"subjects.csv", "dataset.json"}
    assert {path: digest for path, digest in few.items() if path not in index}.items() <= more.items()


def test_ct_has_the_decathlon_layout(workplace: Path) -> None:
    root = written(workplace, "ct_phantom", 2)
    listing = json.loads((root / "dataset.json").read_text())
    assert listing["labels"]["1"] == "liver" and listing["labels"]["8"] == "lesion" and listing["numTraining"] == 2
    for entry in listing["training"]:
        assert (root / entry["image"]).is_file() and (root / entry["label"]).is_file()


def test_radiographs_have_one_mask_file_per_structure_of_the_picture_size(workplace: Path) -> None:
    root = written(workplace, "cxr_phantom", 2)
    for image in (root / "images").iterdir():
        masks = {path.stem: Image.open(path) for path in (root / "masks" / image.stem).iterdir()}
        assert {"left_lung", "right_lung", "heart", "opacity_1", "opacity_2"} <= set(masks)
        for mask in masks.values():
            assert mask.size == Image.open(image).size and mask.mode == "L"
            assert set(np.unique(np.array(mask))) == {0, 255}


def test_ultrasound_masks_are_palette_pictures(workplace: Path) -> None:
    root = written(workplace, "us_phantom", 2)
    for image in (root / "images").iterdir():
        mask = Image.open(root / "masks" / image.name)
        assert mask.mode == "P" and mask.size == Image.open(image).size
        assert set(np.unique(np.array(mask))) == {0, 1, 2}


def test_microscopy_has_one_file_per_nucleus(workplace: Path) -> None:
    root = written(workplace, "micro_phantom", 2)
    for case in (root / "stage1_train").iterdir():
        picture = Image.open(case / "images" / f"{case.name}.png")
        masks = list((case / "masks").iterdir())
        assert picture.mode == "RGB" and 3 <= len(masks) <= 10
        assert all(Image.open(path).size == picture.size for path in masks)


@pytest.mark.parametrize("name", sorted(PHANTOMS))
def test_the_subjects_table_names_every_image_once(workplace: Path, name: str) -> None:
    root = written(workplace, name, 2)
    rows = list(csv.DictReader((root / "subjects.csv").open(encoding="utf-8")))
    assert len({row["image"] for row in rows}) == 2 and all((root / row["image"]).is_file() for row in rows)
    assert [row["patient"] for row in rows] == ["p0001", "p0002"]


def test_the_last_seventh_are_second_visits_and_share_the_patients_seed() -> None:
    cases = [case_of(number, "ct_phantom", 14, seed=7) for number in range(14)]
    assert len({case.name for case in cases}) == 14 and len({case.patient for case in cases}) == 12
    assert cases[12].patient == cases[0].patient and cases[12].patient_seed == cases[0].patient_seed
    assert cases[12].seed != cases[0].seed


def test_an_older_run_with_more_cases_leaves_nothing_behind(workplace: Path) -> None:
    written(workplace, "us_phantom", 3)
    assert len(list((written(workplace, "us_phantom", 1) / "images").iterdir())) == 1


def test_an_unknown_phantom_is_refused_with_the_known_ones(workplace: Path) -> None:
    with pytest.raises(ParamError, match=r"phantom\.cases.*ct_phantom.*'mr_phantom'"):
        write_dataset(params_for("mr_phantom", 1), "mr_phantom")


def test_a_known_phantom_without_a_count_is_refused(workplace: Path) -> None:
    with pytest.raises(ParamError, match="must be a mapping that holds 'us_phantom'"):
        write_dataset(params_for("ct_phantom", 1), "us_phantom")


@pytest.mark.parametrize("cases", [0, -1])
def test_a_count_below_one_is_refused_before_anything_is_deleted(workplace: Path, cases: int) -> None:
    root = written(workplace, "us_phantom", 1)
    with pytest.raises(ParamError, match=r"phantom\.cases\.us_phantom must be at least 1"):
        write_dataset(params_for("us_phantom", cases), "us_phantom")
    assert (root / "subjects.csv").is_file()


def test_the_command_ends_with_one_message_for_an_unknown_name(workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["phantom", "mr_phantom"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert "mr_phantom" in capsys.readouterr().err
