"""The stage with a real small model in this process as judge: it knows nothing, but answers in form."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from stages.core.params import ParamError
from stages.verify.__main__ import verify
from tests.verify.judges.tables import rows, verified_bytes, write_params, write_tables
from tests.vlm.tiny import save_tiny_writer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))
    write_tables()
    return tmp_path


def test_every_query_that_passed_the_cheap_checks_gets_one_vote_from_the_model(folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    save_tiny_writer(folder / "model")
    params = write_params(folder, {"judges": ["evidence", "local"], "votes": 3}, local={"model": str(folder / "model"), "max_tokens": 120})
    with caplog.at_level(logging.WARNING, "medground"):
        figures = verify(params)
    assert "1 vote, not verify.votes = 3" in caplog.text
    own = rows("judge:local")
    assert set(own) == {"a~0", "a~1", "a~2", "a~3", "a~4"} and figures["judges"]["local"]["requests"] == 5
    assert all(verdict.margin == 1.0 and "1 of 1 votes usable" in verdict.evidence for verdict in own.values())
    assert figures["errors"] == {}
    before = verified_bytes(folder)
    monkeypatch.setenv("MEDGROUND_CACHE", str(folder / "another"))
    verify(params)
    assert verified_bytes(folder) == before


def test_a_folder_without_a_model_is_named_before_anything_is_read(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(ParamError, match="vlm.local.model"):
        verify(write_params(folder, {"judges": ["local"]}, local={"model": str(folder / "empty")}))
