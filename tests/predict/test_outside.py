"""A model behind a server: asked in the form of a codec, its answers read, kept and counted."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from stages.core.params import ParamError, Params, load_params
from stages.core.records import Prediction
from stages.core.shards import read_table
from stages.core.stage import StageError
from stages.predict.outside import SPACES, ask_endpoint, instruction
from stages.vlm.codecs import CODECS
from tests.predict.corpus import EXAMPLES, lay_out
from tests.vlm.chat_server import ChatServer, Reply, asked_text, obedient


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))
    lay_out(tmp_path)
    return tmp_path


def settings(server: ChatServer, codec: str = "json1000", **endpoint: Any) -> Params:
    params = load_params()
    changed = replace(params.vlm.endpoint, base_url=server.url, model="served", concurrency=2, max_retries=0, **endpoint)
    return replace(params, vlm=replace(params.vlm, endpoint=changed), predict=replace(params.predict, endpoint_codec=codec))


def sent_size(body: dict[str, Any]) -> tuple[int, int]:
    url = next(part["image_url"]["url"] for part in body["messages"][-1]["content"] if part["type"] == "image_url")
    return Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).size


def pointing(codec: str) -> Any:
    """A server that points at [4, 6, 20, 24] of the 40 x 30 picture, declines for the liver, and says none for the lesion."""

    def reply(body: dict[str, Any], number: int) -> Reply:
        text = asked_text(body)
        if "Which colour" in text:
            return obedient(body, number)
        if "the liver" in text:
            return Reply(refusal="I do not look at livers.")
        boxes = [] if "lesion" in text.splitlines()[0] else [[4, 6, 20, 24]]
        return Reply(CODECS[codec].encode(boxes, 40, 30, sent_size(body)))

    return reply


@pytest.mark.parametrize("codec", ["json1000", "qwen2_5", "gemini"])
def test_answers_are_read_in_the_form_that_was_asked_for(codec: str) -> None:
    with ChatServer(pointing(codec)) as server:
        ask_endpoint(settings(server, codec), "served", Path("data/corpus"), "test", Path("data/predictions/served"))
        assert {body["temperature"] for body in server.bodies} == {0.0}
        if codec == "qwen2_5":
            assert all(side % 28 == 0 for body in server.bodies if "Which colour" not in asked_text(body) for side in sent_size(body))
    rows = read_table("data/predictions/served", Prediction)
    assert [row.example_id for row in rows] == [example.example_id for example in EXAMPLES]
    outcomes = {example.text: row.outcome for example, row in zip(EXAMPLES, rows, strict=True)}
    assert outcomes == {"the leftmost circle": "ok", "the largest lesion": "none", "the liver": "refusal"}
    assert rows[0].boxes_xyxy_px == [pytest.approx([4, 6, 20, 24], abs=0.3)] and rows[0].scores == [1.0]


def test_a_run_whose_server_failed_goes_on_without_asking_twice() -> None:
    def failing(body: dict[str, Any], number: int) -> Reply:
        return Reply(status=500) if number > 5 else pointing("json1000")(body, number)

    out = Path("data/predictions/served")
    with ChatServer(failing) as server:
        with pytest.raises(StageError, match="mend the cause and run again"):
            ask_endpoint(settings(server), "served", Path("data/corpus"), "test", out)
        answered = set(server.answered)
    assert not out.exists()
    with ChatServer(pointing("json1000")) as server:
        ask_endpoint(settings(server), "served", Path("data/corpus"), "test", out)
        assert not answered & set(server.answered)
    assert len(read_table(out, Prediction)) == len(EXAMPLES)


def test_a_spent_budget_says_what_to_raise() -> None:
    with ChatServer(pointing("json1000")) as server, pytest.raises(StageError, match=r"beyond the budget \(vlm.endpoint.max_requests"):
        ask_endpoint(settings(server, max_requests=4), "served", Path("data/corpus"), "test", Path("out"))


def test_a_codec_of_tokens_cannot_be_asked_for_in_words() -> None:
    with ChatServer() as server, pytest.raises(ParamError, match="endpoint_codec: 'loc1000' cannot be asked for.*json1000"):
        ask_endpoint(settings(server, "loc1000"), "served", Path("data/corpus"), "test", Path("out"))


@pytest.mark.parametrize("codec", sorted(SPACES))
def test_the_question_shows_an_answer_that_the_codec_reads(codec: str) -> None:
    shown = re.search(r"in this form: (.*?)\nThe numbers", instruction(codec, "the  liver"), re.DOTALL)
    assert shown is not None
    assert CODECS[codec].decode(shown[1], 1000, 1000, (1000, 1000)).outcome == "ok"
    assert CODECS[codec].decode(instruction(codec, "x").rsplit("answer ", 1)[1], 10, 10, (10, 10)).outcome == "none"
