"""A real `dvc repro` of the whole pipeline on a tiny configuration, in copies of this repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.import_closure import ROOT
from tests.tiny_clone import commit, copy_of_the_repository, digests, run


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of_the_repository(tmp_path_factory.mktemp("tiny") / "repo")
    run(folder, "dvc", "repro")
    commit(folder, "reproduced")
    return folder


def test_the_whole_pipeline_runs_and_leaves_metrics_and_a_report(repository: Path) -> None:
    figures = json.loads((repository / "metrics/evaluate.json").read_text(encoding="utf-8"))
    assert {"base", "tuned", "control", "gain", "baseline"} <= set(figures)
    assert all(0 <= figures[name]["acc_at_50"] <= 1 and figures[name]["n"] > 0 for name in ("base", "tuned", "control"))
    assert "<html" in (repository / "metrics/report/index.html").read_text(encoding="utf-8")


def test_a_second_repro_runs_no_stage(repository: Path) -> None:
    assert "Running stage" not in run(repository, "dvc", "repro").stdout


def test_every_stage_is_a_child_run_of_one_parent_in_the_tracker(repository: Path) -> None:
    code = (
        "import mlflow, json\n"
        "client = mlflow.MlflowClient(tracking_uri='sqlite:///mlflow.db')\n"
        "runs = client.search_runs([client.get_experiment_by_name('medground').experiment_id], max_results=1000)\n"
        "print(json.dumps([[r.data.tags.get('medground.role'), r.data.tags.get('dvc.stage'), r.data.tags.get('mlflow.parentRunId'),"
        " r.info.run_id, r.data.metrics.get('evaluate.tuned.miou')] for r in runs]))"
    )
    rows = json.loads(run(repository, sys.executable, "-c", code).stdout.strip().splitlines()[-1])
    parents = [row for row in rows if row[0] == "experiment"]
    children = [row for row in rows if row[0] == "stage"]
    assert {row[2] for row in children} <= {row[3] for row in parents}
    assert {"generate", "verify", "split", "finetune", "evaluate"} <= {row[1] for row in children}
    assert any(row[4] is not None for row in parents)


def test_two_runs_in_different_folders_give_the_same_bytes(repository: Path, tmp_path: Path) -> None:
    again = copy_of_the_repository(tmp_path / "again")
    run(again, "dvc", "repro")
    first, second = digests(repository), digests(again)
    assert len(first) > 20
    assert {name for name in first if first[name] != second.get(name)} == set()
    assert first.keys() == second.keys()


def test_an_experiment_in_a_temporary_folder_changes_metrics_and_not_the_workspace(repository: Path) -> None:
    before = digests(repository)
    run(repository, "dvc", "exp", "run", "--temp", "--name", "rank-four", "-S", "finetune.lora.rank=4")
    assert digests(repository) == before
    shown = json.loads(run(repository, "dvc", "exp", "show", "--json").stdout)
    assert "rank-four" in json.dumps(shown)
    changed = json.loads(run(repository, "dvc", "params", "diff", "HEAD", "rank-four", "--json").stdout)
    assert changed == {"params.yaml": {"finetune.lora.rank": changed["params.yaml"]["finetune.lora.rank"]}}
    assert changed["params.yaml"]["finetune.lora.rank"]["new"] == 4
    run(repository, "dvc", "metrics", "diff", "HEAD", "rank-four")
    assert not list((repository / ".dvc/tmp/exps").rglob("mlflow.db"))


def test_dropping_a_dataset_gives_the_same_data_with_repro_and_in_an_experiment(repository: Path, tmp_path: Path) -> None:
    fan_in = ("data/queries", "data/verified", "data/corpus")
    copy = tmp_path / "dropped"
    shutil.copytree(repository, copy, symlinks=False)
    params = yaml.safe_load((copy / "params.yaml").read_text(encoding="utf-8"))
    del params["datasets"]["us_phantom"]
    (copy / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    run(copy, "dvc", "repro", "split")
    assert (copy / "data/samples/us_phantom").exists()
    left_behind = digests(copy, fan_in)
    shutil.rmtree(copy / "data/samples/us_phantom")
    shutil.rmtree(copy / "data/anchors/us_phantom")
    run(copy, "dvc", "repro", "split")
    assert digests(copy, fan_in) == left_behind


def test_a_mistyped_parameter_stops_the_pipeline_and_names_its_neighbour(repository: Path, tmp_path: Path) -> None:
    params = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    params["verify"]["min_visiblity"] = params["verify"].pop("min_visibility")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "stages.verify"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 1
    assert "'min_visiblity'; did you mean 'min_visibility'" in done.stderr
    assert "Traceback" not in done.stderr
