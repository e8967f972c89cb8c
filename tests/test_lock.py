"""dvc.lock is of the commit that it stands in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.import_closure import ROOT
from tests.lock import stale

# What stages depend on besides data.
RECORDED = ("stages", "params.yaml", "dvc.yaml", "dvc.lock", "data", "models", "metrics")


def _changed(root: Path) -> str:
    return subprocess.run(["git", "status", "--porcelain", "--", *RECORDED], cwd=root, capture_output=True, text=True, check=True).stdout


def test_dvc_lock_is_of_this_commit() -> None:
    if changed := _changed(ROOT):
        pytest.skip(f"work in progress, `dvc repro` will record it: {changed.strip().splitlines()[0]} ..; `python -m tests.lock` compares anyway")
    assert stale(ROOT) == []


def test_what_is_not_as_recorded_is_named_with_its_stage(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--depth", "1", ROOT.as_uri(), str(clone)], check=True)
    before = set(stale(clone))
    changes = {
        "stages/split/patients.py": ("from __future__", "# another line\nfrom __future__"),
        "params.yaml": ("\nsplit:\n", "\nsplit:\n  another: 1\n"),
        "metrics/verify.json": ("{", '{"another": 1,'),
        "dvc.yaml": ("cmd: python -m stages.verify.audit", "cmd: python -m stages.verify.audit --again"),
    }
    for name, (old, new) in changes.items():
        text = (clone / name).read_text(encoding="utf-8")
        assert old in text
        (clone / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    (clone / "stages/verify/README.md").write_text("another page, which no stage reads", encoding="utf-8")
    after = set(stale(clone))
    expected = {
        "split: stages/split is modified",
        "split: params.yaml:split is modified",
        "verify: metrics/verify.json is modified",
        "audit: its command has changed",
    }
    assert expected <= after
    assert after - before <= expected
