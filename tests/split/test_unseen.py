"""Datasets and modalities that are held out of training and validation."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stages.core.params import ParamError, Params, UnseenParams
from stages.core.records import Anchor, Example, Sample
from stages.core.shards import read_table
from stages.split.__main__ import split_corpus
from stages.split.corpus import other_side
from stages.split.patients import assign
from tests.split.tables import anchor, params_for, picture, png, query, sample, write_inputs

BOX = [10.0, 10.0, 30.0, 30.0]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _holding_out(params: Params, datasets: list[str], modalities: list[str]) -> Params:
    return dataclasses.replace(params, evaluate=dataclasses.replace(params.evaluate, unseen=UnseenParams(datasets, modalities)))


def _two_sources(root: Path) -> tuple[list[Sample], list[Anchor]]:
    """Sources a (CT) and b (CT, with MR pictures of patients p0 and p1); the same picture stands in a/p03 and b/p05."""
    first = [sample("a", f"p{number:02d}", 0, png(picture(number))) for number in range(8)]
    second = [sample("b", f"p{number:02d}", 0, png(picture(900 + number))) for number in range(8)]
    second += [dataclasses.replace(sample("b", f"p{number:02d}", 1, png(picture(700 + number))), modality="mr") for number in range(2)]
    second.append(sample("b", "p05", 2, png(picture(3))))
    samples = [*first, *second]
    anchors = [anchor(row.sample_id, 0, BOX) for row in samples]
    write_inputs(root, samples, anchors, [query(row.sample_id, 0, [f"{row.sample_id}#0"]) for row in samples])
    return samples, anchors


def test_a_held_out_dataset_is_in_no_training_and_no_validation(tmp_path: Path) -> None:
    _two_sources(tmp_path)
    figures = split_corpus(_holding_out(params_for("a", "b"), ["b"], []))
    examples = read_table("data/corpus/examples", Example)
    assert {row.split for row in examples if row.dataset == "b"} == {"test"}
    assert {row.unseen for row in examples if row.dataset == "b"} == {True}
    assert not any(row.unseen for row in examples if row.dataset == "a")
    assert figures["unseen"] == 11
    assert figures["leakage"]["exact"] == figures["leakage"]["patients"] == 0


def test_a_patient_whose_picture_stands_in_the_held_out_dataset_too_is_tested_and_never_trained_on(tmp_path: Path) -> None:
    _two_sources(tmp_path)
    split_corpus(_holding_out(params_for("a", "b"), ["b"], []))
    (twin,) = [row for row in read_table("data/corpus/examples", Example) if (row.dataset, row.patient_id) == ("a", "p03")]
    assert (twin.split, twin.unseen) == ("test", False)


def test_a_held_out_modality_takes_its_patients_out_and_marks_its_own_pictures_only(tmp_path: Path) -> None:
    _two_sources(tmp_path)
    figures = split_corpus(_holding_out(params_for("a", "b"), [], ["mr"]))
    rows = [row for row in read_table("data/corpus/examples", Example) if row.dataset == "b"]
    assert {row.split for row in rows if row.patient_id in ("p00", "p01")} == {"test"}
    assert {row.modality: row.unseen for row in rows} == {"ct": False, "mr": True}
    assert {row.split for row in rows if row.patient_id not in ("p00", "p01")} == {"train", "val", "test"}
    assert figures["unseen"] == 2


def test_nothing_held_out_is_the_default(tmp_path: Path) -> None:
    _two_sources(tmp_path)
    params = params_for("a", "b")
    assert params.evaluate.unseen == UnseenParams([], [])
    assert split_corpus(params)["unseen"] == 0


@pytest.mark.parametrize(
    ("datasets", "modalities", "message"),
    [(["c"], [], r"evaluate\.unseen\.datasets: there is no 'c'; there are a, b"), ([], ["pet"], r"modalities: there is no 'pet'; there are ct, mr")],
)
def test_a_name_that_is_not_there_is_an_error_and_not_an_empty_suite(tmp_path: Path, datasets: list[str], modalities: list[str], message: str) -> None:
    _two_sources(tmp_path)
    with pytest.raises(ParamError, match=message):
        split_corpus(_holding_out(params_for("a", "b"), datasets, modalities))


def test_the_other_patients_are_cut_as_if_the_held_out_ones_were_not_there() -> None:
    groups = [[("d", f"p{number}")] for number in range(20)]
    held_out = {("d", "p3"), ("d", "p4")}
    others = [group for group in groups if group[0] not in held_out]
    found = assign(groups, 7, 0.1, 0.2, held_out=held_out)
    assert found == {**assign(others, 7, 0.1, 0.2), ("d", "p3"): "test", ("d", "p4"): "test"}


def test_distractors_are_the_other_objects_of_the_class_and_of_the_other_side(tmp_path: Path) -> None:
    row = dataclasses.replace(sample("toy", "p", 0, png(picture(1))), spacing_mm=[0.5, 0.25])
    boxes = {"left kidney": [50.0, 10.0, 60.0, 20.0], "right kidney": [10.0, 10.0, 20.0, 20.0], "liver": [0.0, 0.0, 9.0, 9.0]}
    anchors = [anchor(row.sample_id, number, box, label) for number, (label, box) in enumerate(boxes.items())]
    left = dataclasses.replace(query(row.sample_id, 0, [f"{row.sample_id}#0"], text="left kidney"), label="left kidney", difficulty=1)
    liver = dataclasses.replace(query(row.sample_id, 1, [f"{row.sample_id}#2"], text="liver"), label="liver")
    write_inputs(tmp_path, [row], anchors, [left, liver])
    split_corpus(params_for("toy"))
    kidney, organ = read_table("data/corpus/examples", Example)
    assert (kidney.distractors_xyxy_px, kidney.difficulty, kidney.spacing_mm) == ([boxes["right kidney"]], 1, [0.5, 0.25])
    assert (organ.distractors_xyxy_px, organ.difficulty) == ([], None)


def test_the_other_side_of_a_label_without_a_side_is_itself() -> None:
    assert [other_side(name) for name in ("left kidney", "right lung", "liver", "left")] == ["right kidney", "left lung", "liver", "left"]
