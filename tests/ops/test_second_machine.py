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
    assert "Running stage 'verify'" in told.stdout


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
    assert digests(machine.folder, ("data/scores",)) != digests(reproduced, ("data/scores",))


def test_a_clone_fetches_only_what_the_changed_stages_read(reproduced: Path, s3: S3Server, pushed: str, tmp_path: Path) -> None:
    machine = Machine.cloned(reproduced, tmp_path / "machine", s3, pushed)
    write_params(machine.folder, {"evaluate": {"bootstrap_draws": 150}})
    assert machine.ran("--pull", "--allow-missing", "evaluate") == ["evaluate"]
    assert (machine.folder / "data/predictions").exists()
    assert not (machine.folder / "data/raw").exists()
    assert not (machine.folder / "models/adapter").exists()
