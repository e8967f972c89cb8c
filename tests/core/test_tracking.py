from __future__ import annotations

import dataclasses
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stages.core import tracking
from stages.core.params import Params, load_params

ROOT = Path(__file__).parents[2]
DVC_VARIABLES = ("DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", "MLFLOW_TRACKING_URI", "MEDGROUND_TRACKING")


@pytest.fixture
def params() -> Params:
    return load_params(ROOT / "params.yaml")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository root."""
    for name in DVC_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def runs() -> list[Any]:
    client, experiment = tracking._open()
    return list(client.search_runs([experiment]))


def role(run: Any) -> str:
    return run.data.tags["medground.role"]


def test_the_store_lies_at_the_main_root_also_from_a_temporary_experiment(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking.tracking_uri() == f"sqlite:///{store}/mlflow.db"
    monkeypatch.setenv("DVC_ROOT", str(store / ".dvc" / "tmp" / "exps" / "tmpab12"))
    assert tracking.tracking_uri() == f"sqlite:///{store}/mlflow.db"


def test_an_explicit_uri_wins(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker.invalid:5000")
    assert tracking.tracking_uri() == "http://tracker.invalid:5000"


def test_nested_figures_become_dotted_names() -> None:
    assert tracking.flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}


def test_stages_are_children_of_one_parent_which_the_mirror_fills_and_closes(store: Path, monkeypatch: pytest.MonkeyPatch, params: Params) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "tidy-owl")
    tracking.log_stage("ingest", {"images": 12}, params)
    tracking.log_stage("evaluate", {"tuned": {"acc_at_50": 0.5}}, params)
    figures = {"evaluate": {"tuned": {"acc_at_50": 0.5}}, "bench/ingest": {"machine": "x86", "ratio": 2.0, "cores": [1, 2]}}
    tracking.mirror(figures, params)
    tracking.mirror(figures, params)
    found = runs()
    (parent,) = [run for run in found if role(run) == "experiment"]
    children = [run for run in found if role(run) == "stage"]
    assert parent.data.tags["dvc.exp_name"] == "tidy-owl" and parent.info.status == "FINISHED"
    assert parent.data.metrics == {"evaluate.tuned.acc_at_50": 0.5, "bench/ingest.ratio": 2.0}
    assert parent.data.params["params.seed"] == str(params.seed)
    assert {run.data.tags["dvc.stage"]: run.data.metrics for run in children} == {
        "ingest": {"images": 12.0},
        "evaluate": {"tuned.acc_at_50": 0.5},
    }
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert {run.info.status for run in children} == {"FINISHED"}
    assert next(run for run in children if run.data.tags["dvc.stage"] == "ingest").data.params["ingest.max_pixels"]


def test_other_parameters_are_another_parent(store: Path, params: Params) -> None:
    tracking.mirror({"evaluate": {"n": 1}}, params)
    tracking.mirror({"evaluate": {"n": 2}}, dataclasses.replace(params, seed=params.seed + 1))
    assert sorted(run.data.params["params.seed"] for run in runs()) == sorted([str(params.seed), str(params.seed + 1)])


def test_several_processes_may_open_a_fresh_store_at_once(store: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stages.core import tracking; from stages.core.params import load_params\n"
        f"tracking.log_stage('ingest', {{'images': int(sys.argv[1])}}, load_params(Path({str(ROOT)!r}) / 'params.yaml'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_EXP_NAME": "crowd", "OMP_NUM_THREADS": "1"}
    workers = [subprocess.Popen([sys.executable, "-c", code, str(number)], env=environment, stderr=subprocess.PIPE, text=True) for number in range(3)]
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0 and "tracking skipped" not in errors, errors
    found = runs()
    assert [role(run) for run in found].count("experiment") == 1
    assert sorted(run.data.metrics["images"] for run in found if role(run) == "stage") == [0, 1, 2]


def test_a_failing_tracker_warns_and_nothing_more(store: Path, monkeypatch: pytest.MonkeyPatch, params: Params, caplog: pytest.LogCaptureFixture) -> None:
    (store / "mlflow.db").write_bytes(b"this is no database" * 100)
    with caplog.at_level(logging.WARNING, logger="medground"):
        tracking.log_stage("ingest", {"images": 1}, params)
    assert "tracking skipped" in caplog.text


def test_a_folder_that_cannot_be_written_warns_and_nothing_more(store: Path, monkeypatch: pytest.MonkeyPatch, params: Params, caplog: pytest.LogCaptureFixture) -> None:
    (store / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("DVC_ROOT", str(store / "file"))
    with caplog.at_level(logging.WARNING, logger="medground"):
        tracking.mirror({"evaluate": {"n": 1}}, params)
    assert "tracking skipped" in caplog.text


def test_tracking_can_be_turned_off(store: Path, monkeypatch: pytest.MonkeyPatch, params: Params) -> None:
    monkeypatch.setenv("MEDGROUND_TRACKING", "off")
    tracking.log_stage("ingest", {"images": 1}, params)
    tracking.mirror({"evaluate": {"n": 1}}, params)
    assert list(store.iterdir()) == []
