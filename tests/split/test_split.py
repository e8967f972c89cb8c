"""The stage as a whole, on small tables."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from stages.core.params import ParamError
from stages.core.records import CorpusImage, Example
from stages.core.shards import read_table
from stages.core.stage import StageError
from stages.split.__main__ import split_corpus
from tests.split.tables import anchor, params_for, picture, png, query, sample, write_inputs

BOX = [10.0, 10.0, 30.0, 30.0]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _corpus(root: Path, patients: int = 10, views: int = 2, dataset: str = "toy", offset: int = 0):
    samples = [sample(dataset, f"p{p:02d}", v, png(picture(offset + 100 * p + v))) for p in range(patients) for v in range(views)]
    anchors = [anchor(row.sample_id, 0, BOX) for row in samples]
    queries = [query(row.sample_id, 0, [f"{row.sample_id}#0"], text=f"lesion of {row.sample_id}") for row in samples]
    return samples, anchors, queries


def test_the_corpus_holds_every_accepted_query_once_with_its_picture(tmp_path: Path) -> None:
    samples, anchors, queries = _corpus(tmp_path)
    write_inputs(tmp_path, samples, anchors, queries[:-1])
    figures = split_corpus(params_for("toy"))
    examples = read_table("data/corpus/examples", Example)
    assert [row.example_id for row in examples] == sorted(row.query_id for row in queries[:-1])
    assert figures["patients"] == {"train": 5, "val": 2, "test": 3}
    assert sum(figures["examples"].values()) == 19
    images = {row.sample_id: row for row in read_table("data/corpus/images", CorpusImage)}
    assert set(images) == {row.sample_id for row in examples}
    assert all(images[row.sample_id].image == row.image for row in samples if row.sample_id in images)


def test_an_example_carries_boxes_in_reading_order_and_its_tags(tmp_path: Path) -> None:
    row = sample("toy", "p", 0, png(picture(1)))
    boxes = [[50.0, 40.0, 60.0, 50.0], [70.0, 5.0, 80.0, 15.0], [5.0, 5.0, 15.0, 15.0], [0.0, 0.0, 90.0, 90.0]]
    anchors = [anchor(row.sample_id, n, box) for n, box in enumerate(boxes[:3])] + [anchor(row.sample_id, 3, boxes[3], "liver")]
    claims = ['{"kind": "rank", "value": "size:1"}', '{"kind": "label", "value": "liver lesion"}', '{"kind": "rank", "value": "x:1"}']
    queries = [
        query(row.sample_id, 0, [f"{row.sample_id}#{n}" for n in range(3)], kind="multi", claims=claims),
        query(row.sample_id, 1, [], kind="none", text="the lesion that is not there"),
    ]
    write_inputs(tmp_path, [row], anchors, queries)
    split_corpus(params_for("toy"))
    multi, none = read_table("data/corpus/examples", Example)
    assert multi.boxes_xyxy_px == [boxes[2], boxes[1], boxes[0]]
    assert (multi.n_same_label, multi.size_bin, multi.claim_kinds, multi.kind) == (3, "medium", ["label", "rank"], "multi")
    assert (multi.patient_id, multi.modality, multi.licence, multi.width, multi.height) == ("p", "ct", "CC-BY-4.0", 96, 96)
    assert (none.boxes_xyxy_px, none.size_bin, none.claim_kinds, none.n_same_label) == ([], "none", [], 3)


def test_a_query_about_a_pair_counts_the_objects_of_either_class_and_not_their_sum(tmp_path: Path) -> None:
    row = sample("toy", "p", 0, png(picture(1)))
    anchors = [anchor(row.sample_id, 0, BOX, "left kidney"), anchor(row.sample_id, 1, [40.0, 10.0, 60.0, 30.0], "right kidney")]
    both = query(row.sample_id, 0, [f"{row.sample_id}#0", f"{row.sample_id}#1"], text="both kidneys", kind="multi")
    write_inputs(tmp_path, [row], anchors, [dataclasses.replace(both, label="left kidney|right kidney")])
    split_corpus(params_for("toy"))
    (example,) = read_table("data/corpus/examples", Example)
    assert (example.n_same_label, len(example.boxes_xyxy_px), example.label) == (1, 2, "left kidney|right kidney")


def test_an_equal_picture_under_two_patients_of_two_sources_joins_them(tmp_path: Path) -> None:
    first, anchors_a, queries_a = _corpus(tmp_path, dataset="a")
    second, anchors_b, queries_b = _corpus(tmp_path, dataset="b", offset=5000)
    twin = sample("b", "p03", 9, png(picture(100 * 4 + 1), level=9))
    assert twin.image != first[9].image
    write_inputs(tmp_path, [*first, *second, twin], [*anchors_a, *anchors_b], [*queries_a, *queries_b])
    figures = split_corpus(params_for("a", "b"))
    split_of = {(row.dataset, row.patient_id): row.split for row in read_table("data/corpus/examples", Example)}
    assert split_of[("a", "p04")] == split_of[("b", "p03")]
    assert figures["duplicates"] == {"exact": 1, "perceptual": 1, "hash_collisions": 0, "joined_groups": 1, "joined_patients": 2}
    assert figures["leakage"] == {"patients": 0, "exact": 0, "perceptual": 0, "text": 0.0, "text_near": 0.0}


def test_the_same_patient_number_in_two_sources_is_two_patients(tmp_path: Path) -> None:
    first, anchors_a, queries_a = _corpus(tmp_path, dataset="a")
    second, anchors_b, queries_b = _corpus(tmp_path, dataset="b", offset=5000)
    write_inputs(tmp_path, [*first, *second], [*anchors_a, *anchors_b], [*queries_a, *queries_b])
    figures = split_corpus(params_for("a", "b"))
    assert figures["patients"] == {"train": 10, "val": 4, "test": 6}


def test_two_runs_on_one_worker_and_on_two_give_the_same_bytes(tmp_path: Path) -> None:
    samples, anchors, queries = _corpus(tmp_path, patients=5)
    write_inputs(tmp_path, samples, anchors, queries)

    def digest() -> list[str]:
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(Path("data/corpus").rglob("*.parquet"))]

    figures = split_corpus(params_for("toy"))
    once = digest()
    assert len(once) == 2
    params = params_for("toy")
    assert split_corpus(dataclasses.replace(params, engine=dataclasses.replace(params.engine, workers=2))) == figures
    assert digest() == once


def test_other_accepted_queries_keep_the_same_test_patients(tmp_path: Path) -> None:
    samples, anchors, queries = _corpus(tmp_path)
    write_inputs(tmp_path, samples, anchors, queries)
    split_corpus(params_for("toy"))
    before = {row.patient_id: row.split for row in read_table("data/corpus/examples", Example)}
    write_inputs(tmp_path, samples, anchors, queries[::3])
    split_corpus(params_for("toy"))
    after = {row.patient_id: row.split for row in read_table("data/corpus/examples", Example)}
    assert after.items() <= before.items()


def test_texts_of_test_that_stand_in_training_are_counted(tmp_path: Path) -> None:
    samples, anchors, _ = _corpus(tmp_path)
    queries = [query(row.sample_id, 0, [f"{row.sample_id}#0"], text="The  largest lesion") for row in samples]
    write_inputs(tmp_path, samples, anchors, queries)
    assert split_corpus(params_for("toy"))["leakage"]["text"] == 1.0


def test_a_folder_of_a_dropped_dataset_is_not_read(tmp_path: Path) -> None:
    first, anchors_a, queries_a = _corpus(tmp_path, dataset="a")
    second, anchors_b, _ = _corpus(tmp_path, dataset="b", offset=5000)
    write_inputs(tmp_path, [*first, *second], [*anchors_a, *anchors_b], queries_a)
    split_corpus(params_for("a"))
    assert {row.dataset for row in read_table("data/corpus/examples", Example)} == {"a"}
    assert {row.sample_id.split("/")[0] for row in read_table("data/corpus/images", CorpusImage)} == {"a"}


def test_queries_of_an_undeclared_dataset_stop_the_stage_with_a_remedy(tmp_path: Path) -> None:
    samples, anchors, queries = _corpus(tmp_path, patients=3, dataset="b")
    write_inputs(tmp_path, samples, anchors, queries)
    mine, mine_anchors, _ = _corpus(tmp_path, patients=3, dataset="a", offset=900)
    write_inputs(tmp_path, mine, mine_anchors, queries)
    with pytest.raises(StageError, match="no dataset of params.yaml holds its sample 'b/p00/0'.*dvc repro"):
        split_corpus(params_for("a"))


def test_a_target_that_is_no_anchor_stops_the_stage(tmp_path: Path) -> None:
    samples, anchors, queries = _corpus(tmp_path, patients=3)
    write_inputs(tmp_path, samples, anchors[1:], queries)
    with pytest.raises(StageError, match="target 'toy/p00/0#0' is not in data/anchors"):
        split_corpus(params_for("toy"))


def test_a_picture_that_cannot_be_decoded_stops_the_stage_and_is_named(tmp_path: Path) -> None:
    samples, anchors, queries = _corpus(tmp_path, patients=3)
    broken = [sample("toy", "p09", 0, b"\x89PNG broken"), *samples]
    write_inputs(tmp_path, broken, anchors, queries)
    with pytest.raises(StageError, match="toy/p09/0: its picture .* cannot be decoded"):
        split_corpus(params_for("toy"))


@pytest.mark.parametrize(("val", "test", "name"), [(-0.1, 0.2, "val_share"), (0.1, 1.0, "test_share"), (0.5, 0.5, "test_share")])
def test_impossible_shares_are_named(val: float, test: float, name: str) -> None:
    with pytest.raises(ParamError, match=f"split.{name}"):
        split_corpus(params_for("toy", val_share=val, test_share=test))


def test_metrics_hold_finite_numbers_only(tmp_path: Path) -> None:
    samples, anchors, _ = _corpus(tmp_path, patients=2)
    write_inputs(tmp_path, samples, anchors, [])
    figures = split_corpus(params_for("toy"))
    assert figures["examples"] == {"train": 0, "val": 0, "test": 0}
    json.dumps(figures, allow_nan=False)


def test_the_test_patients_of_a_source_stay_test_patients_when_the_parameter_says_so(tmp_path: Path) -> None:
    samples, anchors, queries = _corpus(tmp_path)
    told = [dataclasses.replace(row, source_split="test" if row.patient_id in ("p01", "p02") else "train") for row in samples]
    write_inputs(tmp_path, told, anchors, queries)
    split_corpus(params_for("toy", keep_source_split=True))
    tested = {row.patient_id for row in read_table("data/corpus/examples", Example) if row.split == "test"}
    assert tested == {"p01", "p02"}
    split_corpus(params_for("toy"))
    assert {row.patient_id for row in read_table("data/corpus/examples", Example) if row.split == "test"} != tested
