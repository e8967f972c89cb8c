"""A tree with one ingested sample."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stages.core.params import DatasetParams, EngineParams, Params, load_params
from stages.core.records import Anchor, Sample
from stages.core.shards import write_table
from tests.verify.expressions import ROOT
from tests.verify.scenes import anchors, sample


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Parameters of a tree with one ingested sample; the tree is the working folder."""
    loaded = load_params(ROOT / "params.yaml")
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    write_table("data/samples/set/samples", Sample, [sample()])
    write_table("data/anchors/set/anchors", Anchor, anchors())
    return dataclasses.replace(loaded, datasets={"set": DatasetParams("card", "root")}, engine=EngineParams(1, "processes", None))
