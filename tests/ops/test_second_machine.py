"""What a second machine does, with nothing but `git clone`, the remote and its keys."""

from __future__ import annotations

from pathlib import Path

from tests.ops.remotes import Machine
from tests.ops.s3_server import S3Server
from tests.tiny_clone import OUTS, digests, run, write_params


def test_a_clone_without_data_says_that_nothing_is_to_run(reproduced: Path, s3: S3Server, pushed: str, tmp_path: Path) -> None:
    machine = Machine.cloned(reproduced, tmp_path / "machine", s3, pushed)
    assert "Running stage" not in machine.dvc("repro", "--dry", "--allow-missing").stdout
    assert not (machine.folder / ".dvc/cache/files").exists()
    write_params(machine.folder, {"verify": {"max_words": 39}})
    told = machine.dvc("repro", "--dry", "--allow-missing", check=False)
    assert told.returncode != 0
    assert "'verify'" in told.stderr  # the first stage that would run, and the data that it would have to read


def test_a_clone_pulls_has_every_byte_and_runs_only_what_a_parameter_changes(reproduced: Path, s3: S3Server, pushed: str, tmp_path: Path) -> None:
    machine = Machine.cloned(reproduced, tmp_path / "machine", s3, pushed)
    machine.dvc("pull")
    assert digests(machine.folder) == digests(reproduced)
    assert "Running stage" not in machine.dvc("repro", "--dry", "--allow-missing").stdout
    assert "up to date" in machine.dvc("status").stdout
    assert run(machine.folder, "git", "status", "--porcelain").stdout == ""
    write_params(machine.folder, {"evaluate": {"bootstrap_draws": 100}})
    assert machine.ran() == ["evaluate", "report"]
    unchanged = tuple(out for out in OUTS if out not in ("data/scores", "metrics/report"))
    assert digests(machine.folder, unchanged) == digests(reproduced, unchanged)
    assert (machine.folder / "metrics/evaluate.json").read_bytes() != (reproduced / "metrics/evaluate.json").read_bytes()


def test_a_clone_runs_a_stage_with_nothing_pulled_but_what_it_reads(reproduced: Path, s3: S3Server, pushed: str, tmp_path: Path) -> None:
    machine = Machine.cloned(reproduced, tmp_path / "machine", s3, pushed)
    machine.dvc("pull", "split", "predict_base", "predict")
    write_params(machine.folder, {"evaluate": {"bootstrap_draws": 150}})
    assert machine.ran("--allow-missing", "evaluate") == ["evaluate"]
    assert not (machine.folder / "data/raw").exists()
    assert not (machine.folder / "models/adapter").exists()
