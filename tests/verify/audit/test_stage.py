"""The audit on a tiny tree: figures, tables, errors, determinism."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from stages.core.params import AuditParams, DatasetParams, EngineParams, ParamError, Params, load_params
from stages.core.records import Anchor, Query, Sample
from stages.core.shards import read_table, write_table
from stages.core.stage import StageError, write_metrics
from stages.verify.audit.__main__ import audit
from stages.verify.audit.trial import Trial
from tests.verify.expressions import ROOT
from tests.verify.scenes import anchors, query, sample

QUERIES = [
    query("the largest liver lesion", 5, query_id="a~0"),
    query("the smallest liver lesion", 5, query_id="a~1"),
    query("the spleen on the right side of the image", 1, query_id="a~2"),
    query("both kidneys", 2, 3, query_id="a~3"),
]


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Parameters of a tree with one dataset "set" of one sample and four queries, the second of them wrong."""
    loaded = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    write_table("data/samples/set/samples", Sample, [sample()])
    write_table("data/anchors/set/anchors", Anchor, anchors())
    write_table("data/queries/queries", Query, QUERIES)
    return dataclasses.replace(loaded, datasets={"set": DatasetParams("card", "root")}, engine=EngineParams(1, "processes", None), audit=AuditParams(0.05, 5, 4))


def test_clean_queries_are_counted_before_the_cascade_chose_and_faults_are_planted_in_the_accepted(params: Params) -> None:
    found = audit(params)
    assert (found["kept"]["n"], found["kept"]["rate"]) == (4, 0.75)
    assert [row.query_id for row in read_table("data/audit/lost", Trial)] == ["a~1"]
    assert found["catch"]["empty"]["n"] == 3
    for group in ("format", "geometry", "priors"):
        assert found["group"][group]["rate"] == 1, [row for row in read_table("data/audit/misses", Trial)]
    assert {row.query_id for row in read_table("data/audit/catches", Trial)} == {"a~0", "a~2", "a~3"}
    write_metrics(Path("metrics/audit.json"), found)


def test_one_worker_or_two_write_the_same_bytes(params: Params) -> None:
    other = dataclasses.replace(sample(), sample_id="set/case/axial-2", patient_id="r")
    moved = [dataclasses.replace(a, sample_id=other.sample_id, anchor_id=a.anchor_id.replace("axial-1", "axial-2")) for a in anchors()]
    write_table("data/samples/set/samples", Sample, [sample(), other])
    write_table("data/anchors/set/anchors", Anchor, [*anchors(), *moved])

    def content() -> dict[str, bytes]:
        paths = [path for root in ("data/audit", "metrics") for path in sorted(Path(root).rglob("*")) if path.is_file()]
        return {str(path): path.read_bytes() for path in paths}

    first_figures = json.dumps(audit(params))
    first = content()
    assert json.dumps(audit(dataclasses.replace(params, engine=EngineParams(2, "processes", None)))) == first_figures
    assert content() == first


def test_a_picture_that_cannot_be_read_is_named(params: Params) -> None:
    write_table("data/samples/set/samples", Sample, [dataclasses.replace(sample(), image=b"no png")])
    with pytest.raises(StageError, match="no query to plant|bad_image"):
        audit(params)


def test_nothing_to_plant_in_is_an_error_that_says_what_to_do(params: Params) -> None:
    write_table("data/queries/queries", Query, [])
    with pytest.raises(StageError, match="run the stage generate"):
        audit(params)


@pytest.mark.parametrize(("field", "value"), [("images_per_dataset", 0), ("queries_per_image", 0), ("max_error_rate", 2.0)])
def test_a_parameter_out_of_range_is_named(params: Params, field: str, value: float) -> None:
    broken = dataclasses.replace(params, audit=dataclasses.replace(params.audit, **{field: value}))
    with pytest.raises(ParamError, match=f"audit.{field}"):
        audit(broken)
