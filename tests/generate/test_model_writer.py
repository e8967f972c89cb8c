"""The stage with a model as writer, against a real HTTP server: forms, faults, budget, and a kill in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from stages.core.claims import Claim, select
from stages.core.records import ItemError, Query
from stages.core.shards import read_table
from stages.core.stage import StageError
from stages.generate.__main__ import generate
from stages.generate.scenes import read_scenes
from stages.knowledge import words
from tests.generate.tables import query_bytes, write_params, write_tables
from tests.import_closure import ROOT
from tests.vlm.chat_server import ChatServer, Reply, asked_text, obedient

ENDPOINT = {"writer": "endpoint"}


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))
    write_tables(tmp_path)
    return tmp_path


def _run(folder: Path, server: ChatServer, generate_block: dict | None = None, **endpoint) -> dict:
    return generate(write_params(folder, {**ENDPOINT, **(generate_block or {})}, {"base_url": server.url, **endpoint}))


def _questions(server: ChatServer) -> list[dict]:
    return [body for body in server.bodies if "Which colour" not in asked_text(body)]


def test_a_model_gets_both_pictures_and_the_measured_facts_and_its_texts_become_queries(tables: Path) -> None:
    with ChatServer() as server:
        figures = _run(tables, server)
    queries = read_table("data/queries/queries", Query)
    (scene,) = [scene for scene in read_scenes("one") if scene.sample_id == "one/c0/v0"]
    assert figures["queries"] == len(queries) > 9 and figures["failures"] == 0
    for query in queries:
        assert query.writer.backend == "endpoint" and query.writer.model == "tiny" and len(query.writer.prompt_hash) == 16
        claims = [Claim.from_json(text) for text in query.claims or []]
        if query.sample_id == scene.sample_id:
            assert select(claims, scene, words.thresholds()).is_exactly(query.anchor_ids)
    single = next(body for body in _questions(server) if "true_of_the_target" in asked_text(body))
    pictures = [part for part in single["messages"][1]["content"] if part["type"] == "image_url"]
    assert len(pictures) == 2 and pictures[0] != pictures[1]
    assert "for the target" in asked_text(single) and "others_of_its_kind" in asked_text(single)
    assert not any(word in asked_text(single) for word in ("one/c0", str(tables), "box_xyxy"))


def test_ids_are_unique_and_difficulty_is_recorded(tables: Path) -> None:
    with ChatServer() as server:
        figures = _run(tables, server)
    queries = read_table("data/queries/queries", Query)
    assert len({query.query_id for query in queries}) == len(queries)
    assert {query.difficulty for query in queries} <= {0, 1, 2, 3} and abs(sum(figures["difficulty"].values()) - 1) < 1e-9


def test_spending_is_counted_and_does_not_change_when_the_answers_come_from_the_store(tables: Path) -> None:
    with ChatServer() as server:
        first = _run(tables, server, price_per_million_input=1.0, price_per_million_output=10.0)
        asked, before = len(server.bodies), query_bytes(tables)
        second = _run(tables, server, price_per_million_input=1.0, price_per_million_output=10.0)
    assert len(server.bodies) == asked and query_bytes(tables) == before and first == second
    n = first["requests"]
    assert n == len(_questions(server)) and first["tokens"] == 120 * n and first["cost"] == pytest.approx(n * 300e-6)


def test_the_number_of_requests_at_once_is_bounded_and_changes_no_byte(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(body: dict, number: int) -> Reply:
        reply = obedient(body, number)
        reply.delay_s = 0.03
        return reply

    with ChatServer(slow) as server:
        _run(tables, server, concurrency=4)
    many = query_bytes(tables)
    assert 2 <= server.most_at_once <= 4
    monkeypatch.setenv("MEDGROUND_CACHE", str(tables / "another"))
    with ChatServer() as server:
        _run(tables, server, concurrency=1)
    assert query_bytes(tables) == many and server.most_at_once == 1


def test_a_faulty_answer_goes_back_with_what_is_wrong_and_the_second_one_is_used(tables: Path) -> None:
    def script(body: dict, number: int) -> Reply:
        if "Which colour" not in asked_text(body) and len(body["messages"]) == 2:
            return Reply('{"queries": [{"text": "the boxed polyp", "style": "phrase", "claims": []}]}')
        return obedient(body, number)

    with ChatServer(script) as server:
        figures = _run(tables, server)
    again = [body for body in _questions(server) if len(body["messages"]) == 4]
    assert figures["failures"] == 0 and figures["queries"] > 9
    assert again and all("boxed" in body["messages"][3]["content"] for body in again)
    assert figures["requests"] == 2 * len(again)


def test_targets_without_a_usable_answer_are_error_rows_and_the_rest_goes_on(tables: Path) -> None:
    def script(body: dict, number: int) -> Reply:
        text = asked_text(body)
        if "Which colour" in text:
            return obedient(body, number)
        if "rank" in text.split("singles_out")[-1].split("\n")[0]:
            return Reply(refusal="I cannot help with medical images")
        return obedient(body, number)

    with ChatServer(script) as server:
        figures = _run(tables, server, {"max_error_rate": 1.0})
    errors = read_table("data/queries/errors", ItemError)
    assert errors and {error.kind for error in errors} == {"refused"} and figures["failed"] == {"refused": figures["failures"]}
    assert figures["failures"] == len(errors) and figures["queries"] > 0
    refused = {error.item_id for error in errors}
    assert all(item.startswith("one/c") for item in refused)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply("no json at all"), "bad_schema"), (Reply('{"queries": [', finish="length"), "truncated"),
        (Reply(status=400, body='{"error": {"message": "images are not supported"}}'), "bad_request"),
        (Reply(status=500, body="down"), "server_error"),
    ],
)  # fmt: skip
def test_a_run_that_is_bound_to_fail_stops_early_and_says_why(tables: Path, reply: Reply, kind: str) -> None:
    write_tables(tables, pictures=12)
    with ChatServer(lambda body, number: reply) as server:
        with pytest.raises(StageError, match=f"(?s)failed after.*generate.max_error_rate.*{kind}"):
            _run(tables, server, probe=False, max_retries=0)
        assert len(server.bodies) < 40


@pytest.mark.parametrize(("status", "kind"), [(401, "wrong_key"), (404, "no_such_model")])
def test_what_would_fail_every_time_stops_the_stage_at_once(tables: Path, status: int, kind: str) -> None:
    with ChatServer(lambda body, number: Reply(status=status, body="{}")) as server:
        with pytest.raises(StageError, match=kind):
            _run(tables, server)
        assert len(server.bodies) == 1


def test_a_model_that_sees_nothing_is_found_out_before_it_is_paid(tables: Path) -> None:
    with ChatServer(lambda body, number: Reply("As a language model I see no picture")) as server:
        with pytest.raises(StageError, match="cannot_see.*vision-language model"):
            _run(tables, server)
        assert len(server.bodies) == 1


@pytest.mark.parametrize("budget", [{"max_requests": 5}, {"max_cost": 5 * 100e-6, "price_per_million_input": 1.0}])
def test_the_budget_ends_the_asking_and_what_is_left_is_counted(tables: Path, budget: dict) -> None:
    with ChatServer() as server:
        figures = _run(tables, server, **budget)
        assert len(_questions(server)) == 5 == figures["requests"]
    assert figures["skipped"]["over_budget"] > 0 and figures["queries"] > 0


def _process(folder: Path, **more: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MEDGROUND_TRACKING": "off", "MEDGROUND_CACHE": str(folder / "cache"), **more}
    return subprocess.Popen([sys.executable, "-m", "stages.generate"], cwd=folder, env=environment, stderr=subprocess.PIPE)


def test_a_run_killed_half_way_repeats_no_answered_request_and_ends_with_the_same_bytes(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer() as server:
        _run(tables, server)
    undisturbed, total = query_bytes(tables), len(_questions(server))
    monkeypatch.setenv("MEDGROUND_CACHE", str(tables / "fresh"))

    stalled = total // 2
    stall = {"on": True}

    def script(body: dict, number: int) -> Reply:
        if stall["on"] and number > stalled:
            time.sleep(60)
        return obedient(body, number)

    with ChatServer(script) as server:
        write_params(tables, ENDPOINT, {"base_url": server.url})
        first = _process(tables, MEDGROUND_CACHE=str(tables / "fresh"))
        deadline = time.monotonic() + 60
        while len(server.bodies) <= stalled + 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.5)
        first.send_signal(signal.SIGKILL)
        first.wait()
        answered = list(server.answered)
        stall["on"] = False
        second = _process(tables, MEDGROUND_CACHE=str(tables / "fresh"))
        _, said = second.communicate(timeout=120)
        assert second.returncode == 0, said.decode()
        repeated = Counter(server.answered) - Counter(set(server.answered))
    assert answered and not repeated
    assert query_bytes(tables) == undisturbed


def test_the_command_names_an_unreachable_server_in_one_line(tables: Path) -> None:
    write_params(tables, ENDPOINT, {"base_url": "http://127.0.0.1:9/v1", "max_retries": 0})
    process = _process(tables)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1 and b"unreachable: no connection to http://127.0.0.1:9/v1" in said and b"Traceback" not in said


def test_prompts_are_versioned_by_their_hash(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.generate import prompting

    before = prompting.prompt_hash()
    copy = tables / "prompts"
    copy.mkdir()
    for file in prompting.PROMPTS.glob("*.j2"):
        (copy / file.name).write_text(file.read_text(encoding="utf-8") + " ", encoding="utf-8")
    monkeypatch.setattr(prompting, "PROMPTS", copy)
    assert prompting.prompt_hash.__wrapped__() != before


def test_a_table_of_texts_to_read_is_written(tables: Path) -> None:
    with ChatServer() as server:
        _run(tables, server)
    lines = Path("metrics/plots/generate_samples.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("modality,kind,style") and 5 < len(lines) <= 25 and json.dumps(lines)
