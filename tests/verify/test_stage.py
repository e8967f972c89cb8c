"""The whole stage on a tiny tree: tables, metrics, funnel, errors, determinism."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import pytest

from stages.core.params import DatasetParams, EngineParams, Params, load_params
from stages.core.records import Anchor, ItemError, Query, Sample, Verdict
from stages.core.shards import read_table, write_table
from stages.core.stage import StageError, write_metrics
from stages.verify.__main__ import verify
from tests.verify.expressions import ROOT
from tests.verify.scenes import anchors, query, sample

QUERIES = [
    query("the largest liver lesion", 5, query_id="a~0"),
    query("the smallest liver lesion", 5, query_id="a~1"),
    query("the spiculated aorta", 4, query_id="a~2"),
    query("the spleen", 1, query_id="a~3"),
]


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Parameters of a tree with one dataset "set" of one sample and four queries."""
    loaded = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    write_table("data/samples/set/samples", Sample, [sample()])
    write_table("data/anchors/set/anchors", Anchor, anchors())
    write_table("data/samples/stray/samples", Sample, [])
    write_table("data/queries/queries", Query, QUERIES)
    return dataclasses.replace(loaded, datasets={"set": DatasetParams("card", "root")}, engine=EngineParams(1, "processes", None))


def test_every_query_has_one_fate_and_a_verdict_from_each_check_that_it_reached(params: Params) -> None:
    figures = verify(params)
    ids = {fate: [row.query_id for row in read_table(f"data/verified/{fate}", Query)] for fate in ("accepted", "rejected", "undecided")}
    assert ids == {"accepted": ["a~0", "a~3"], "rejected": ["a~1"], "undecided": ["a~2"]}
    assert figures == {
        "queries": 4, "accepted": 2, "rejected": 1, "undecided": 1, "accepted_rate": 0.5,
        "reasons": {"selects_other": 1, "unread_text": 1}, "errors": {}, "funnel": figures["funnel"],
    }  # fmt: skip
    checks = {row.query_id: [] for row in QUERIES}
    for verdict in read_table("data/verified/verdicts", Verdict):
        checks[verdict.query_id].append(verdict.check)
    assert sorted(map(len, checks.values())) == [4, 6, 6, 6]


def test_the_funnel_counts_every_verdict(params: Params) -> None:
    figures = verify(params)
    with Path("metrics/plots/verify_funnel.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert sum(int(row["n"]) for row in rows) == len(read_table("data/verified/verdicts", Verdict))
    assert {(row["dataset"], row["modality"]) for row in rows} == {("set", "CT")}
    assert [{**row, "n": int(row["n"])} for row in rows] == figures["funnel"]
    write_metrics(Path("metrics/verify.json"), figures)
    assert json.loads(Path("metrics/verify.json").read_text(encoding="utf-8"))["funnel"] == figures["funnel"]


def test_two_runs_and_two_workers_write_the_same_bytes(params: Params) -> None:
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for root in ("data/verified", "metrics") for path in sorted(Path(root).rglob("*")) if path.is_file()}

    first_figures = json.dumps(verify(params))
    first = content()
    assert json.dumps(verify(dataclasses.replace(params, engine=EngineParams(2, "processes", None)))) == first_figures
    assert content() == first


def test_a_query_of_a_dropped_dataset_is_an_error_value(params: Params) -> None:
    orphan = dataclasses.replace(QUERIES[0], query_id="b~0", sample_id="other/case/axial-1")
    write_table("data/queries/queries", Query, [*QUERIES, orphan])
    tolerant = dataclasses.replace(params, verify=dataclasses.replace(params.verify, max_error_rate=0.5))
    assert verify(tolerant)["errors"] == {"no_sample": 1}
    (error,) = read_table("data/verified/errors", ItemError)
    assert error.item_id == "b~0"
    with pytest.raises(StageError, match="no_sample"):
        verify(params)


def test_a_picture_that_cannot_be_read_is_an_error_value(params: Params) -> None:
    write_table("data/samples/set/samples", Sample, [dataclasses.replace(sample(), image=b"no png")])
    with pytest.raises(StageError, match="bad_image"):
        verify(params)


@pytest.mark.parametrize(("field", "value"), [("min_words", 0), ("max_words", 0), ("min_visibility", 1.5), ("near_duplicate", 0.0)])
def test_a_parameter_out_of_range_is_named(params: Params, field: str, value: float) -> None:
    from stages.core.params import ParamError

    broken = dataclasses.replace(params, verify=dataclasses.replace(params.verify, **{field: value}))
    with pytest.raises(ParamError, match=f"verify.{field}"):
        verify(broken)
