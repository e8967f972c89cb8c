"""Experiments run side by side: set up one by one, failures kept apart, locks waited for, interruptions passed on.

A few lines of shell stand in for ``dvc exp run --temp``; the real one runs in tests/ops/test_sweeps.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stages.sweep.grid import Experiment
from stages.sweep.running import last_words, run_all
from tests.import_closure import ROOT

STAND_IN = """#!/bin/sh
name=$5
folder=.dvc/tmp/exps/standalone/$name
if [ -e setting_up ]; then echo "$name" >>two_set_up_at_once; fi
touch setting_up
trap 'echo half an index; exit 1' INT
case $name in *slow*) sleep 1.5;; *) sleep 0.1;; esac
rm -f setting_up
case $name in *locked*) if [ ! -e was_locked ]; then
  touch was_locked; echo "ERROR: 'workspace' is busy, it is being blocked by:"; exit 255
fi;; esac
trap 'rm -r "$folder"; echo interrupted; exit 1' INT
mkdir -p "$folder/.dvc" && touch "$folder/.dvc/config.local"
echo "$@" >>began
case $name in
  *bad*) echo "finetune: params.yaml:finetune:lora:rank must be at least 1, got 0"; rm -r "$folder"; exit 1;;
  *long*) sleep 60 & wait $!;;
  *) while [ "$(ls .dvc/tmp/exps/standalone | wc -l)" -lt "${AT_ONCE:-1}" ] && [ ! -e met ]; do sleep 0.05; done; touch met;;
esac
rm -r "$folder"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/dvc").write_text(STAND_IN, encoding="utf-8")
    (tmp_path / "bin/dvc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _experiments(*names: str) -> list[Experiment]:
    return [Experiment(name, {"x.y": str(number)}, {"a.b": "[c]"}) for number, name in enumerate(names)]


def test_experiments_run_at_once_and_are_set_up_one_after_another(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AT_ONCE", "2")  # each waits until it has met another
    assert run_all(_experiments("one", "two", "three"), 2, ["evaluate"]) == {"one": 0, "two": 0, "three": 0}
    assert not (place / "two_set_up_at_once").exists()
    assert "exp run --temp --name two -S a.b=[c] -S x.y=1 evaluate" in (place / "began").read_text(encoding="utf-8").splitlines()


def test_a_failing_experiment_stops_no_other_and_its_log_says_why(place: Path) -> None:
    assert run_all(_experiments("bad", "good"), 1, []) == {"bad": 1, "good": 0}
    assert last_words("bad").endswith("finetune: params.yaml:finetune:lora:rank must be at least 1, got 0")
    assert last_words("never") == "no log"


def test_an_experiment_that_met_a_lock_is_started_again(place: Path) -> None:
    assert run_all(_experiments("locked", "good"), 1, []) == {"locked": 0, "good": 0}
    assert (place / "was_locked").exists()


def test_an_interrupted_sweep_interrupts_its_experiments_and_starts_no_more(place: Path) -> None:
    code = (
        "from stages.sweep.running import run_all\nfrom stages.sweep.grid import Experiment\n"
        "try:\n    run_all([Experiment(name, {}, {}) for name in ('long-1', 'long-2', 'never')], 2, [])\n"
        "except KeyboardInterrupt:\n    raise SystemExit(130)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=place, env={**os.environ, "PYTHONPATH": str(ROOT)})
    patience = time.monotonic() + 60
    while time.monotonic() < patience and (not (place / "began").exists() or len((place / "began").read_text().splitlines()) < 2):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 130
    assert "interrupted" in last_words("long-1")
    assert list((place / ".dvc/tmp/exps/standalone").iterdir()) == []
    assert "never" not in (place / "began").read_text(encoding="utf-8")


def test_a_sweep_stopped_while_an_experiment_is_set_up_lets_that_end_first(place: Path) -> None:
    code = "from stages.sweep.running import run_all\nfrom stages.sweep.grid import Experiment\nrun_all([Experiment('slow-long', {}, {})], 1, [])\n"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=place, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)
    patience = time.monotonic() + 60
    while time.monotonic() < patience and not (place / "setting_up").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    assert last_words("slow-long") == "interrupted"
    assert (place / "began").exists()
    assert list((place / ".dvc/tmp/exps/standalone").iterdir()) == []


def test_signals_are_as_before_when_a_sweep_has_ended(place: Path) -> None:
    assert threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    run_all(_experiments("good"), 1, [])
    assert signal.getsignal(signal.SIGTERM) is before
