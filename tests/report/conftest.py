"""One fabricated run for all tests of the report that only read it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stages.core.stage import run_stage
from stages.report.__main__ import report
from tests.report.fabricate import fabricate


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole run and its page."""
    folder = tmp_path_factory.mktemp("run")
    before, tracking = Path.cwd(), os.environ.get("MEDGROUND_TRACKING")
    os.environ["MEDGROUND_TRACKING"] = "off"
    os.chdir(folder)
    try:
        fabricate(folder)
        run_stage("report", report)
    finally:
        os.chdir(before)
        if tracking is None:
            del os.environ["MEDGROUND_TRACKING"]
        else:
            os.environ["MEDGROUND_TRACKING"] = tracking
    return folder


@pytest.fixture
def run_copy(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to spoil, as the present working directory."""
    import shutil

    target = tmp_path / "copy"
    shutil.copytree(finished_run, target)
    monkeypatch.chdir(target)
    monkeypatch.setenv("MEDGROUND_TRACKING", "off")
    return target
