"""The table that the README shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages.core.stage import StageError
from stages.verify.audit.table import printed_table

CELL = {"n": 40, "rate": 0.975, "low": 0.871, "high": 0.996}


def test_every_file_is_a_column_and_every_group_a_row(tmp_path: Path) -> None:
    figures = {"kept": CELL, "group": dict.fromkeys(("format", "geometry", "priors", "evidence"), CELL)}
    (tmp_path / "a.json").write_text(json.dumps(figures), encoding="utf-8")
    lines = printed_table({"phantoms": tmp_path / "a.json", "real": tmp_path / "a.json"}).splitlines()
    assert lines[0] == "|  | phantoms | real | goal |" and len(lines) == 7
    assert lines[2] == "| untouched queries kept | 0.975 [0.871, 0.996] (n=40) | 0.975 [0.871, 0.996] (n=40) | 0.98 |"


def test_a_missing_file_names_the_stage_to_run(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="dvc repro audit"):
        printed_table({"this run": tmp_path / "none.json"})
