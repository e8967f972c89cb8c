"""The client against a server that answers, refuses, stalls, and breaks off; all over real HTTP."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stages.core.params import EndpointParams, ParamError
from stages.vlm.chat import Asker, ChatError, ChatRequest, key_of
from stages.vlm.endpoint import Endpoint
from stages.vlm.sight import check_sight
from tests.vlm.chat_server import ChatServer, Reply

PARAMS = EndpointParams(
    base_url="http://127.0.0.1:1/v1", model="tiny", revision="r1", api_key_env=None, structured="json_schema", system_turn=True, probe=False,
    temperature=0.0, max_tokens=50, concurrency=2, requests_per_minute=0, timeout_s=5, max_retries=2, max_requests=0, max_cost=0,
    price_per_million_input=1.0, price_per_million_output=2.0,
)  # fmt: skip
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _endpoint(server: ChatServer | None, **changes) -> Endpoint:
    fields = {"base_url": server.url} if server else {}
    return Endpoint(dataclasses.replace(PARAMS, **{**fields, **changes}), seed=7)


def _request(text: str = "hello", **changes) -> ChatRequest:
    return ChatRequest("be brief", (b"\x89PNG", text), **changes)


def test_a_picture_goes_as_a_data_uri_and_the_schema_as_structured_output() -> None:
    with ChatServer(lambda body, number: Reply("fine")) as server:
        answer = _endpoint(server).ask(_request(schema=SCHEMA))
    (body,) = server.bodies
    system, user = body["messages"]
    assert system == {"role": "system", "content": "be brief"}
    assert [part["type"] for part in user["content"]] == ["image_url", "text"]
    assert user["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (answer.text, answer.finish, answer.prompt_tokens, answer.completion_tokens, answer.retries) == ("fine", "stop", 100, 20, 0)


@pytest.mark.parametrize(("structured", "sent"), [("json_object", {"type": "json_object"}), ("none", None)])
def test_servers_without_schemas_are_asked_for_less(structured: str, sent: dict | None) -> None:
    with ChatServer(lambda body, number: Reply("fine")) as server:
        _endpoint(server, structured=structured).ask(_request(schema=SCHEMA))
    assert server.bodies[0].get("response_format") == sent


def test_retry_after_is_obeyed_and_the_repeats_are_counted() -> None:
    def script(body: dict, number: int) -> Reply:
        return Reply(status=429, headers={"Retry-After": "1"}, body='{"error": {"message": "slow down"}}') if number == 0 else Reply("now")

    with ChatServer(script) as server:
        answer = _endpoint(server).ask(_request())
    assert (answer.text, answer.retries) == ("now", 1)
    assert server.times[1] - server.times[0] >= 0.95


@pytest.mark.parametrize("broken", [Reply(status=500, body="oops"), Reply("half of it", cut=True), Reply(status=503, body="{}")])
def test_a_server_that_recovers_is_forgiven(broken: Reply) -> None:
    with ChatServer(lambda body, number: broken if number == 0 else Reply("well again")) as server:
        assert _endpoint(server).ask(_request()).text == "well again"


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (Reply(status=401, body='{"error": {"message": "no such key"}}'), "wrong_key", "HTTP 401: .*no such key"),
        (Reply(status=404, body='{"error": {"message": "unknown"}}'), "no_such_model", "'tiny'"),
        (Reply(status=400, body='{"error": {"message": "image_url is not supported"}}'), "bad_request", "does the model take pictures"),
        (Reply(status=429, body="{}"), "rate_limited", "after 0 repeats"),
        (Reply(status=500, body="oops"), "server_error", "HTTP 500"),
        (Reply(body="<html>a proxy's page</html>"), "bad_answer", "no chat completion|no choice"),
        (Reply(body='{"choices": []}'), "bad_answer", "no choice"),
        (Reply("late", delay_s=1.5), "timed_out", "vlm.endpoint.timeout_s"),
        (Reply("half of it", cut=True), "unreachable", "no connection"),
    ],
)  # fmt: skip
def test_each_way_to_fail_has_its_code_and_cause(reply: Reply, kind: str, says: str) -> None:
    with ChatServer(lambda body, number: reply) as server, pytest.raises(ChatError) as raised:
        _endpoint(server, max_retries=0, timeout_s=0.5).ask(_request())
    assert raised.value.kind == kind
    import re

    assert re.search(says, raised.value.cause), raised.value.cause


def test_nobody_listening_is_unreachable_and_fatal() -> None:
    with pytest.raises(ChatError, match="no connection to http://127.0.0.1:1/v1") as raised:
        _endpoint(None, max_retries=0).ask(_request())
    assert raised.value.fatal


def test_a_refusal_and_a_cut_off_answer_are_told_apart_from_an_answer() -> None:
    replies = [Reply(refusal="I cannot help with that"), Reply("filtered", finish="content_filter"), Reply('{"a": "b', finish="length")]
    with ChatServer(lambda body, number: replies[number]) as server:
        endpoint = _endpoint(server)
        assert [endpoint.ask(_request(str(n))).finish for n in range(3)] == ["refused", "refused", "length"]


def test_the_key_comes_from_the_environment_and_stands_nowhere_else(own_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADE_UP_KEY", "sk-very-secret")
    said = '{"error": {"message": "bad key sk-very-secret given"}}'
    with ChatServer(lambda body, number: Reply("fine") if number == 0 else Reply(status=401, body=said)) as server:
        endpoint = _endpoint(server, api_key_env="MADE_UP_KEY")
        Asker(endpoint).ask(_request())
        with pytest.raises(ChatError) as raised:
            endpoint.ask(_request("again"))
    assert server.keys[0] == "Bearer sk-very-secret"
    stored = b"".join(path.read_bytes() for path in own_store.rglob("*") if path.is_file())
    assert stored and b"secret" not in stored
    assert "secret" not in raised.value.cause and "***" in raised.value.cause and "MADE_UP_KEY" in raised.value.cause
    assert "secret" not in str(endpoint.identity)


def test_an_empty_key_variable_and_a_key_in_the_address_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MADE_UP_KEY", raising=False)
    with pytest.raises(ParamError, match="MADE_UP_KEY is empty"):
        _endpoint(None, api_key_env="MADE_UP_KEY")
    with pytest.raises(ParamError, match="keys belong into the environment"):
        _endpoint(None, base_url="http://me:pw@127.0.0.1/v1")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"base_url": "ftp://x"}, "base_url"), ({"model": None}, "model"), ({"structured": "xml"}, "structured"),
        ({"temperature": 3.0}, "temperature"), ({"concurrency": 0}, "concurrency"), ({"max_cost": -1.0}, "max_cost"),
    ],
)  # fmt: skip
def test_parameters_out_of_range_are_named(changes: dict, named: str) -> None:
    with pytest.raises(ParamError, match=f"vlm.endpoint.{named}"):
        _endpoint(None, **changes)


def test_an_answer_is_paid_once_and_failures_are_not_stored() -> None:
    def script(body: dict, number: int) -> Reply:
        return Reply(status=500, body="oops") if number == 0 else Reply(f"answer {number}")

    with ChatServer(script) as server:
        asker = Asker(_endpoint(server, max_retries=0))
        with pytest.raises(ChatError):
            asker.ask(_request())
        first, second = asker.ask(_request()), asker.ask(_request())
        third = asker.ask(_request("another question"))
    assert first == second != third
    assert (len(server.bodies), asker.paid, asker.reused) == (3, 2, 1)


def test_what_an_answer_depends_on_is_in_its_key_and_the_address_is_not() -> None:
    base = _endpoint(None).identity
    keys = {
        key_of(_request(), base), key_of(_request("other"), base), key_of(ChatRequest("be brief", (b"other", "hello")), base),
        key_of(_request(draw=1), base), key_of(_request(schema=SCHEMA), base), key_of(_request(history=(("a", "b"),)), base),
        *(key_of(_request(), _endpoint(None, **change).identity) for change in ({"model": "m"}, {"revision": "r2"}, {"temperature": 1.0})),
    }  # fmt: skip
    assert len(keys) == 9
    assert key_of(_request(), _endpoint(None, base_url="http://elsewhere/v1", concurrency=9).identity) in keys


def test_requests_start_no_faster_than_the_limit() -> None:
    with ChatServer(lambda body, number: Reply("fine")) as server:
        endpoint = _endpoint(server, requests_per_minute=300)
        for number in range(4):
            endpoint.ask(_request(str(number)))
    gaps = [later - earlier for earlier, later in zip(server.times, server.times[1:], strict=False)]
    assert min(gaps) >= 0.15


def test_a_model_that_sees_passes_and_a_blind_one_is_named() -> None:
    with ChatServer() as server:
        check_sight(Asker(_endpoint(server)))
    with ChatServer(lambda body, number: Reply("I cannot see pictures")) as blind, pytest.raises(ChatError, match="cannot_see") as raised:
        check_sight(Asker(_endpoint(blind, model="blind")))
    assert raised.value.fatal and "'blind'" in raised.value.cause
