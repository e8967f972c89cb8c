"""The stage's entry: tables, metrics, bounds, overlay."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.anchor.__main__ import derive_dataset, main
from stages.core.geometry import encode_mask
from stages.core.params import DatasetParams, EngineParams, ParamError, Params, load_params
from stages.core.records import Anchor, AnchorGroup, ItemError, Sample
from stages.core.shards import read_table, write_table
from stages.core.stage import StageError
from tests.anchor.scenes import disc, sample_of

ROOT = Path(__file__).resolve().parents[2]


def _params(workers: int = 1, **anchor) -> Params:
    base = load_params(ROOT / "params.yaml")
    datasets = {"toy": DatasetParams("card.yaml", "raw")}
    changed = dataclasses.replace(base.anchor, **{"max_error_rate": 0.3, **anchor})
    return dataclasses.replace(base, datasets=datasets, anchor=changed, engine=EngineParams(workers, "processes", None))


def _samples(n: int, empty: int = 0) -> list[Sample]:
    samples = []
    for k in range(n):
        mask = disc(64, 64, 20 + k, 20, 8) | disc(64, 64, 45, 45, 6) | disc(64, 64, 3, 60, 1)
        sample = sample_of([("liver lesion", mask), ("liver", disc(64, 64, 30, 30, 25))], semantic=True, image_left_is="patient_right")
        if k < empty:
            hollow = dataclasses.replace(sample.objects[1], mask_rle=encode_mask(np.zeros((64, 64), bool)))
            sample = dataclasses.replace(sample, objects=[sample.objects[0], hollow])
        samples.append(dataclasses.replace(sample, sample_id=f"toy/c{k}/0"))
    return samples


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_TRACKING", "off")


def test_the_stage_writes_anchors_errors_and_counts() -> None:
    write_table("data/samples/toy/samples", Sample, _samples(5, empty=1))
    figures = derive_dataset(_params(), "toy")
    anchors, errors = read_table("data/anchors/toy/anchors", Anchor), read_table("data/anchors/toy/errors", ItemError)
    assert figures == {
        "images": 5,
        "anchors": 14,
        "labels": {"liver": 4, "liver lesion": 10},
        "groups": 5,
        "crowds": 0,
        "unsplit_pairs": 0,
        "dropped": {"below_min_px": 5},
        "merged": {},
        "errors": {"empty_mask": 1},
    }
    assert len(anchors) == 14
    groups = read_table("data/anchors/toy/groups", AnchorGroup)
    assert [(group.label, group.n, group.complete) for group in groups] == [("liver lesion", 2, True)] * 5
    assert [error.item_id for error in errors] == ["toy/c0/0"]


def test_more_errors_than_allowed_stop_the_stage_with_the_list_on_disk() -> None:
    write_table("data/samples/toy/samples", Sample, _samples(5, empty=2))
    with pytest.raises(StageError, match=r"2 of 5 items failed.*anchor.max_error_rate = 0.3(.|\n)*toy/c1/0"):
        derive_dataset(_params(), "toy")
    assert len(read_table("data/anchors/toy/errors", ItemError)) == 2


def test_one_worker_and_two_give_the_same_bytes() -> None:
    write_table("data/samples/toy/samples", Sample, _samples(6))

    def digest(workers: int) -> list[str]:
        derive_dataset(_params(workers), "toy")
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(Path("data/anchors").rglob("*.parquet"))]

    assert digest(1) == digest(2)


def test_a_dataset_that_params_do_not_declare_is_named() -> None:
    with pytest.raises(ParamError, match="params.yaml:datasets must be a mapping that holds 'toyy'"):
        derive_dataset(_params(), "toyy")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_component_px", 0),
        ("min_component_fraction", 1.0),
        ("ring_px", 0),
        ("max_error_rate", 1.5),
        ("min_component_mm2", -1.0),
        ("merge_gap_px", -0.5),
        ("crowd_area_ratio", 1.0),
        ("crowd_solidity", 1.1),
        ("crowd_neck", 1.0),
    ],
)
def test_a_parameter_out_of_range_is_named(name: str, value: float) -> None:
    with pytest.raises(ParamError, match=f"anchor.{name}"):
        derive_dataset(_params(**{name: value}), "toy")


def test_show_renders_the_sample_with_the_patients_sides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_table("data/samples/toy/samples", Sample, _samples(2))
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.setattr("sys.argv", ["anchor", "--show", "toy/c1/0", "--out", "look/one.png"])
    main()
    picture = cv2.imread("look/one.png")
    assert picture.shape[0] > 512 and picture.shape[1] >= 512
    left_mark = picture[235:260, :24]
    assert (left_mark.min(axis=2) > 240).any()


def test_show_says_when_there_is_no_such_sample(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_table("data/samples/toy/samples", Sample, _samples(1))
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.setattr("sys.argv", ["anchor", "--show", "toy/c9/0", "--out", "x.png"])
    with pytest.raises(SystemExit, match="holds no sample 'toy/c9/0'; nearest: toy/c0/0"):
        main()


@pytest.mark.parametrize("arguments", [[], ["--show", "toy/c0/0"]])
def test_an_incomplete_command_line_ends_with_usage(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setattr("sys.argv", ["anchor", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
