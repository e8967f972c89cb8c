"""The audit asks the judges that are models, too: same questions and store as the stage verify, about the altered picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.core.shards import read_table
from stages.core.stage import StageError
from stages.verify.__main__ import verify
from stages.verify.audit.__main__ import audit
from stages.verify.audit.trial import Trial
from tests.verify.judges.tables import YES, agreeing, answering, write_params, write_tables
from tests.vlm.chat_server import ChatServer, Reply

NO = YES | {"visible": "no", "reason": "nothing_there"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))
    write_tables()
    return tmp_path


def test_untouched_queries_are_answered_from_the_store_and_faults_of_the_picture_are_asked_about(folder: Path) -> None:
    with ChatServer(answering(agreeing)) as server:
        params = write_params(folder, None, {"base_url": server.url})
        verify(params)
        earlier = len(server.bodies)
        found = audit(params)
    new = server.bodies[earlier:]
    assert found["judges"]["endpoint"]["asked"] > 5 and found["judges"]["endpoint"]["passed"] == found["judges"]["endpoint"]["asked"]
    assert 0 < len(new) < found["judges"]["endpoint"]["asked"], "the five untouched queries were asked about before"
    assert (found["kept"]["n"], found["kept"]["rate"]) == (7, pytest.approx(5 / 7))


def test_a_model_that_sees_nothing_catches_every_fault_and_keeps_nothing(folder: Path) -> None:
    script = answering(lambda text, number: NO if agreeing(text, number) is YES else agreeing(text, number))
    with ChatServer(script) as server:
        found = audit(write_params(folder, {"judges": ["endpoint"]}, {"base_url": server.url}))
    assert found["group"]["evidence"]["rate"] == 1
    assert found["kept"]["rate"] == pytest.approx(1 / 7)
    lost = {row.query_id: row for row in read_table("data/audit/lost", Trial)}
    assert (lost["a~0"].check, lost["a~0"].reason) == ("judge:endpoint", "not_visible")


def test_what_the_budget_does_not_bear_counts_neither_as_caught_nor_as_lost(folder: Path) -> None:
    with ChatServer(answering(agreeing)) as server:
        found = audit(write_params(folder, {"judges": ["endpoint"]}, {"base_url": server.url, "max_requests": 4}))
    assert len(server.bodies) == 4
    assert found["unanswered"] > 0
    assert (found["kept"]["n"], found["kept"]["rate"]) == (6, pytest.approx(4 / 6))


def test_a_server_that_refuses_ends_the_audit_with_a_message(folder: Path) -> None:
    with ChatServer(lambda body, number: Reply("no", status=401)) as server, pytest.raises(StageError, match=r"401|key|refuse"):
        audit(write_params(folder, None, {"base_url": server.url}))
