"""Trainings as processes of their own: killed and resumed, two together, and without dvc and mlflow."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.core.params import FinetuneParams, ParamError, load_params
from stages.core.stage import StageError
from stages.finetune.__main__ import finetune
from stages.finetune.jobs import plan_jobs
from stages.finetune.launch import launched
from tests.finetune.corpus import PARAMS, write_corpus
from tests.import_closure import ROOT
from tests.vlm.tiny import save_tiny_base

# Far more than it takes where the cores are free: a training that waits for a busy machine is no failure.
SECONDS = 900


def workplace(folder: Path, params: FinetuneParams) -> Path:
    """A folder that the stage can run in: parameters, corpus and base."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["finetune"], content["vlm"]["base"] = dataclasses.asdict(params), "base"
    write_corpus(folder / "data" / "corpus")
    save_tiny_base(folder / "base")
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "MEDGROUND_CACHE": str(folder / "cache"), "MEDGROUND_TRACKING": "off", "OMP_NUM_THREADS": "1"}


def stage_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the stage's body here, in that folder."""
    monkeypatch.chdir(folder)
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)
    return finetune(load_params())


def adapter_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "models/adapter/tuned").iterdir())}


def killed_after_a_checkpoint(folder: Path, delay_s: float) -> None:
    """Start the stage, wait for a whole checkpoint and then ``delay_s``, and kill it with signal 9."""
    process = subprocess.Popen([sys.executable, "-m", "stages.finetune"], cwd=folder, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + SECONDS
    try:
        while not list((folder / "cache/finetune").glob("*/checkpoint-*/whole")):
            assert process.poll() is None, "the training ended before it had a checkpoint"
            assert time.monotonic() < end, "no checkpoint came"
            time.sleep(0.005)
        time.sleep(delay_s)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_training_killed_in_the_middle_ends_with_the_bytes_of_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = dataclasses.replace(PARAMS, max_steps=90, checkpoint_steps=3, lora=dataclasses.replace(PARAMS.lora, dropout=0.1))
    whole, cut = workplace(tmp_path / "whole", params), workplace(tmp_path / "cut", params)
    stage_in(whole, monkeypatch)
    killed_after_a_checkpoint(cut, random.Random(3).uniform(0, 0.3))
    assert not (cut / "models/adapter/tuned").exists()
    stage_in(cut, monkeypatch)
    assert adapter_bytes(whole) == adapter_bytes(cut)
    assert (whole / "metrics/plots/finetune/tuned.csv").read_bytes() == (cut / "metrics/plots/finetune/tuned.csv").read_bytes()
    assert not list((cut / "cache/finetune").iterdir())


def test_two_processes_train_one_adapter_with_the_examples_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = dataclasses.replace(PARAMS, max_steps=40, images_per_step=4, checkpoint_steps=20, dense_weight=0.0, precision="fp32")
    alone = workplace(tmp_path / "alone", params)
    together = workplace(tmp_path / "together", dataclasses.replace(params, launcher="torchrun --standalone --nproc_per_node 2"))
    one, two = (stage_in(folder, monkeypatch)["tuned"] for folder in (alone, together))
    assert (one["processes"], two["processes"]) == (1, 2)
    curves = [(folder / "metrics/plots/finetune/tuned.csv").read_text().splitlines()[1:] for folder in (alone, together)]
    losses = [[float(row.split(",")[1]) for row in curve] for curve in curves]
    assert losses[1][-1] < losses[1][0]
    # The same examples a step, so the same losses but for the order in which they are added up.
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert set(adapter_bytes(together)) == {"adapter_model.safetensors", "adapter_config.json", "adapter_card.json"}


def test_a_launcher_that_is_not_there_is_named() -> None:
    with pytest.raises(StageError, match="no program 'torchrum'"):
        launched("torchrum --nproc_per_node 2", "tuned")


def test_a_failing_worker_fails_the_stage_with_its_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    params = dataclasses.replace(PARAMS, launcher=f"{sys.executable} -u", accumulation=3)
    with pytest.raises(StageError, match="ended with status 1"):
        stage_in(workplace(tmp_path, params), monkeypatch)
    assert "a multiple of 1 processes x finetune.accumulation = 3" in capfd.readouterr().err


def test_training_and_prediction_run_without_dvc_and_mlflow(tmp_path: Path) -> None:
    folder = workplace(tmp_path, dataclasses.replace(PARAMS, max_steps=1))
    code = """
import sys, runpy
for name in ("dvc", "mlflow"):
    sys.modules[name] = None
for arguments in (["stages.finetune"], ["stages.predict", "--contender", "tuned"]):
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
"""
    free = {name: value for name, value in environment(folder).items() if name != "MEDGROUND_TRACKING"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=free, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert list((folder / "data/predictions/tuned").iterdir())


def test_a_parameter_error_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = workplace(tmp_path, dataclasses.replace(PARAMS, launcher=" "))
    monkeypatch.chdir(folder)
    with pytest.raises(ParamError, match=r"params.yaml:finetune:launcher"):
        plan_jobs(load_params())
