"""Experiments side by side and from DVC's queue: all there, told apart, tracked in MLflow; a failing one harms no other."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tiny_clone import digests, environment_of, run

LIMIT_S = 1800
# Short, and no further than the figures.
SHARED = ("--set", "finetune.arms=[tuned]", "--target", "evaluate")
ARMS = ("[tuned,control,mix]", "[tuned,control,experts]")
RANKS = {"2": "trial-rank-2", "4": "trial-rank-4", "8": "trial-rank-8"}
BAD = "trial-rank-0"
MLFLOW = """
import json, mlflow
client = mlflow.MlflowClient(tracking_uri="sqlite:///mlflow.db")
found = client.search_runs([client.get_experiment_by_name("medground").experiment_id], max_results=5000)
keys = ("medground.role", "dvc.exp_name", "dvc.stage", "mlflow.parentRunId")
print(json.dumps([{**{key: run.data.tags.get(key) for key in keys}, "id": run.info.run_id, "status": run.info.status,
                   "loss": run.data.metrics.get("finetune.tuned.loss")} for run in found]))
"""


@dataclass(frozen=True)
class Swept:
    """A repository after a sweep that was stopped and started again: its files before, what either printed."""

    folder: Path
    before: dict[str, str]
    stopped: subprocess.CompletedProcess[str]
    left: list[str]
    done: subprocess.CompletedProcess[str]


def _sweep(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "-m", "stages.sweep", *arguments, check=False, timeout_s=LIMIT_S)


def _ranks(*ranks: str) -> tuple[str, ...]:
    return ("--name", "trial", "--jobs", "3", "--over", f"finetune.lora.rank={','.join(ranks)}", *SHARED)


@pytest.fixture(scope="module")
def swept(reproduced: Path, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    """Four experiments, three at once; one of them has a rank that no adapter can have. The first try is stopped in a training."""
    folder = Path(shutil.copytree(reproduced, tmp_path_factory.mktemp("sweep") / "repo", symlinks=True))
    before = digests(folder)
    stopped = _stopped_in_a_stage(folder, *_ranks("2", "0", "4", "8"))
    left = [path.parent.name for path in (folder / ".dvc/tmp/exps/standalone").glob("*/params.yaml")]
    left += run(folder, "git", "status", "--porcelain").stdout.split()
    return Swept(folder, before, stopped, left, _sweep(folder, *_ranks("2", "0", "4", "8")))


def _stopped_in_a_stage(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command, log = [sys.executable, "-m", "stages.sweep", *arguments], folder / "logs/sweep/trial-rank-2.log"
    process = subprocess.Popen(command, cwd=folder, env=environment_of(folder, {"PYTHONUNBUFFERED": "1"}), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    patience = time.monotonic() + LIMIT_S
    while time.monotonic() < patience and not (log.exists() and "Running stage" in log.read_text(encoding="utf-8", errors="replace")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=LIMIT_S)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _shown(folder: Path) -> dict[str, dict]:
    """Parameters and figures of every experiment by name, and of its commit what the training said of itself."""
    told = json.loads(run(folder, "dvc", "exp", "show", "--json").stdout)
    revisions = [revision for entry in told for one in entry["experiments"] or [] for revision in one["revs"] or []]
    return {
        revision["name"]: {
            "params": revision["data"]["params"]["params.yaml"]["data"],
            "evaluate": revision["data"]["metrics"]["metrics/evaluate.json"]["data"],
            "finetune": json.loads(run(folder, "git", "show", f"{revision['rev']}:metrics/finetune.json").stdout),
        }
        for revision in revisions
    }


def test_a_stopped_sweep_says_how_to_go_on_and_leaves_no_half_experiment(swept: Swept) -> None:
    assert swept.stopped.returncode == 130
    assert "the same command goes on with what is missing" in swept.stopped.stderr and "Traceback" not in swept.stopped.stderr
    assert swept.left == []


def test_experiments_side_by_side_are_all_there_with_metrics_of_their_own(swept: Swept) -> None:
    shown = _shown(swept.folder)
    assert set(shown) == set(RANKS.values()), swept.done.stderr[-4000:]
    for rank, name in RANKS.items():
        assert shown[name]["params"]["finetune"]["lora"]["rank"] == int(rank)
        assert shown[name]["evaluate"]["tuned"]["n"] > 0
    trained = {name: figures["finetune"]["tuned"] for name, figures in shown.items()}
    assert len({figures["trainable_weights"] for figures in trained.values()}) == len(RANKS)
    assert len({figures["loss"] for figures in trained.values()}) == len(RANKS)


def test_a_failing_experiment_is_named_with_its_log_and_stops_no_other(swept: Swept) -> None:
    assert swept.done.returncode == 1
    assert f"{BAD} failed" in swept.done.stderr and f"logs/sweep/{BAD}.log" in swept.done.stderr
    assert "params.yaml:finetune:lora:rank" in swept.done.stderr and "Traceback" not in swept.done.stderr
    assert "3 of 4 experiments are there" in swept.done.stderr


def test_the_workspace_is_as_it_was_but_for_the_table(swept: Swept) -> None:
    assert digests(swept.folder) == swept.before
    assert run(swept.folder, "git", "status", "--porcelain").stdout.strip() == "M metrics/sweep.json"
    assert not list((swept.folder / ".dvc/tmp/exps/standalone").glob("*/params.yaml"))
    rows = json.loads((swept.folder / "metrics/sweep.json").read_text(encoding="utf-8"))["experiments"]
    assert [row["name"] for row in rows] == list(RANKS.values())
    assert all("evaluate.gain.tuned_minus_base.acc_at_50.low" in row["metrics"] for row in rows)
    assert swept.done.stdout.count("tuned - base") == 2


def test_concurrent_writers_leave_one_parent_an_experiment_with_its_children(swept: Swept) -> None:
    assert not list((swept.folder / ".dvc/tmp/exps").rglob("mlflow.db"))
    runs = json.loads(run(swept.folder, sys.executable, "-c", MLFLOW).stdout.strip().splitlines()[-1])
    parents = {row["dvc.exp_name"]: row for row in runs if row["medground.role"] == "experiment" and row["dvc.exp_name"] in RANKS.values()}
    assert set(parents) == set(RANKS.values())
    assert len([row for row in runs if row["medground.role"] == "experiment" and row["dvc.exp_name"].startswith("trial")]) == len(RANKS)
    for name, parent in parents.items():
        children = {row["dvc.stage"] for row in runs if row["mlflow.parentRunId"] == parent["id"]}
        assert {"finetune", "predict@tuned", "evaluate"} <= children, name
        assert parent["status"] == "FINISHED"
    assert len({parent["loss"] for parent in parents.values()}) == len(RANKS)


def test_the_same_command_goes_on_with_what_is_missing(swept: Swept) -> None:
    again = _sweep(swept.folder, *_ranks("2", "0", "4", "8"))
    assert again.returncode == 1
    assert {name for name in (*RANKS.values(), BAD) if f"{name} is there already" in again.stderr} == set(RANKS.values())
    assert again.stderr.count("started, log in") == 1
    without = _sweep(swept.folder, *_ranks("2", "4", "8"))
    assert without.returncode == 0 and "started" not in without.stderr


def test_an_experiment_of_that_name_with_other_parameters_stops_the_sweep(swept: Swept) -> None:
    other = _sweep(swept.folder, *_ranks("2"), "--set", "finetune.max_steps=2")
    assert other.returncode == 1
    assert "trial-rank-2 is there already, with {'finetune.max_steps': 3}" in other.stderr and "Traceback" not in other.stderr


def test_more_arms_are_trained_asked_and_compared(copy: Path) -> None:
    done = _sweep(copy, "--name", "more", "--over", f"finetune.arms={','.join(ARMS)}", "--target", "evaluate")
    assert done.returncode == 0, done.stderr[-4000:]
    shown = _shown(copy)
    assert len(shown) == len(ARMS)
    for name, extra in (("more-arms-tuned_control_mix", "mix"), ("more-arms-tuned_control_experts", "experts")):
        figures = shown[name]["evaluate"]
        assert {"base", "tuned", "control", extra} <= set(figures)
        assert figures["base"]["n"] == figures["tuned"]["n"] == figures[extra]["n"] > 0


def test_dvcs_queue_runs_experiments_and_a_failing_one_stops_no_other(copy: Path) -> None:
    """A worker that DVC leaves standing (a known trouble upstream) is started again, a few times."""
    for rank in ("2", "0", "4"):
        settings = ("-S", f"finetune.lora.rank={rank}", "-S", "finetune.arms=[tuned]")
        run(copy, "dvc", "exp", "run", "--queue", "--name", f"queued-{rank}", *settings, "evaluate")
    assert _queue_ended(copy) == {"queued-2": "Success", "queued-0": "Failed", "queued-4": "Success"}
    shown = _shown(copy)
    losses = {shown[name]["finetune"]["tuned"]["loss"] for name in ("queued-2", "queued-4")}
    assert len(losses) == 2
    said = run(copy, "dvc", "queue", "logs", "queued-0").stdout
    assert "params.yaml:finetune:lora:rank" in said
    assert run(copy, "git", "status", "--porcelain").stdout.strip() == ""


def _queue_ended(folder: Path) -> dict[str, str]:
    """Start a worker until nothing is queued or running; it goes into a session of its own, since it would hold our pipes."""
    states = dict[str, str]()
    try:
        for _ in range(4):
            # Its own session and no pipes: the worker outlives this command.
            subprocess.run(["dvc", "queue", "start", "-j", "1"], cwd=folder, env=environment_of(folder), stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, check=True)  # fmt: skip
            patience, states = time.monotonic() + LIMIT_S, _queue(folder)
            still = time.monotonic()
            while {"Queued", "Running"} & set(states.values()) and time.monotonic() < patience:
                time.sleep(2)
                before, states = states, _queue(folder)
                still = time.monotonic() if states != before or "Running" in states.values() else still
                if time.monotonic() - still > 60:
                    break
            if not {"Queued", "Running"} & set(states.values()):
                break
    finally:
        run(folder, "dvc", "queue", "stop", "--kill", check=False)
    return states


def _queue(folder: Path) -> dict[str, str]:
    """State of every experiment of the queue by name, from `dvc queue status`."""
    lines = [line.split() for line in run(folder, "dvc", "queue", "status").stdout.splitlines()]
    return {name: words[-1] for words in lines for name in words if name.startswith("queued-")}


def test_the_registered_adapter_is_fetched_by_its_name_and_version(copy: Path) -> None:
    whole = digests(copy / "models/adapter/tuned", (".",))
    assert len(whole) == 3
    run(copy, "git", "tag", "-a", "tuned@v1.0.0", "-m", "first adapter")
    for out, more in (("latest", ()), ("named", ("--rev", "v1.0.0"))):
        run(copy, "dvc", "artifacts", "get", ".", "tuned", "-o", out, *more)
        assert digests(copy / out, (".",)) == whole
    run(copy, "dvc", "get", ".", "models/adapter/tuned", "-o", "untagged")
    assert digests(copy / "untagged", (".",)) == whole


def test_a_sweep_does_not_start_on_changed_files(copy: Path) -> None:
    (copy / "README.md").write_text("changed\n", encoding="utf-8")
    done = _sweep(copy, *_ranks("2"))
    assert done.returncode == 1 and "Commit them first" in done.stderr
