"""What DVC shows becomes a tracked file, and the table is printed from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages.core.stage import StageError
from stages.sweep.grid import Experiment, experiments_of
from stages.sweep.running import check_workspace, missing
from stages.sweep.shown import Shown, shown_experiments
from stages.sweep.table import columns_of, printed_sweep, write_sweep
from tests.tiny_clone import run

COLUMNS = columns_of("tuned", "base")


def _grid() -> list[Experiment]:
    return experiments_of("s", ["finetune.lora.rank=4,8"], ["finetune.max_steps=100"])


def _shown(experiment: Experiment, acc: float, running: bool = False) -> Shown:
    gain = "evaluate.gain.tuned_minus_base.acc_at_50"
    metrics = {"evaluate.tuned.acc_at_50": acc, f"{gain}.diff": acc - 0.3, f"{gain}.low": acc - 0.4, f"{gain}.high": acc - 0.2, "finetune.minutes": 1.0}
    return Shown(dict(experiment.values), metrics, running)


def test_the_table_is_printed_from_the_tracked_file_with_intervals(tmp_path: Path) -> None:
    grid = _grid()
    write_sweep(grid, {grid[0].name: _shown(grid[0], 0.5), grid[1].name: _shown(grid[1], 0.25)}, COLUMNS, tmp_path / "sweep.json")
    kept = json.loads((tmp_path / "sweep.json").read_text(encoding="utf-8"))
    assert kept["fixed"] == {"finetune.max_steps": "100"} and "finetune.minutes" not in kept["experiments"][0]["metrics"]
    lines = printed_sweep(markdown=True, path=tmp_path / "sweep.json").splitlines()
    assert lines[0].startswith("| rank | mean IoU | Acc@0.5 | ")
    assert lines[2] == "| 4 | - | 0.500 | - | +0.200 [+0.100, +0.300] | - |"
    assert lines[3] == "| 8 | - | 0.250 | - | -0.050 [-0.150, +0.050] | - |"
    assert "+0.200 [+0.100, +0.300]" in printed_sweep(markdown=False, path=tmp_path / "sweep.json")


def test_an_experiment_that_is_not_there_is_no_line_of_the_table(tmp_path: Path) -> None:
    grid = _grid()
    write_sweep(grid, {grid[1].name: _shown(grid[1], 0.25)}, COLUMNS, tmp_path / "sweep.json")
    assert [row["name"] for row in json.loads((tmp_path / "sweep.json").read_text(encoding="utf-8"))["experiments"]] == [grid[1].name]
    with pytest.raises(StageError, match="none of the sweep's experiments"):
        write_sweep(grid, {}, COLUMNS, tmp_path / "other.json")
    with pytest.raises(StageError, match="make sweep"):
        printed_sweep(markdown=True, path=tmp_path / "other.json")


def test_only_what_is_neither_there_nor_under_way_is_run() -> None:
    grid = experiments_of("s", ["finetune.lora.rank=4,8,16"], [])
    assert missing(grid, {grid[0].name: _shown(grid[0], 0.5), grid[1].name: Shown({}, {}, running=True)}) == [grid[2]]


def test_an_experiment_of_the_same_name_with_other_parameters_is_no_part_of_the_sweep() -> None:
    grid = _grid()
    other = Shown({**grid[0].values, "finetune.max_steps": 7}, {}, running=False)
    with pytest.raises(StageError, match=r"s-rank-4 is there already, with \{'finetune.max_steps': 7\}.*dvc exp remove s-rank-4"):
        missing(grid, {grid[0].name: other})


def test_a_sweep_starts_from_a_commit_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(StageError, match="needs a git repository"):
        check_workspace()
    (tmp_path / "params.yaml").write_text("a: 1\n", encoding="utf-8")
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/sweep.json").write_text("{}\n", encoding="utf-8")
    for command in (["git", "init", "-q"], ["git", "add", "-A"], ["git", "commit", "-qm", "first"]):
        run(tmp_path, *command)
    check_workspace()
    (tmp_path / "metrics/sweep.json").write_text('{"of": "a stopped sweep"}\n', encoding="utf-8")
    check_workspace()
    (tmp_path / "params.yaml").write_text("a: 2\n", encoding="utf-8")
    with pytest.raises(StageError, match="M params.yaml\nCommit them first"):
        check_workspace()


def test_where_dvc_cannot_tell_the_error_is_dvcs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StageError, match="dvc exp show --json"):
        shown_experiments()
