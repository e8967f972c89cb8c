"""A real transformers model in this process as a backend."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from stages.core.params import LocalParams, ParamError
from stages.vlm.chat import ChatError, ChatRequest
from stages.vlm.local import LocalModel
from tests.vlm.tiny import save_tiny_base, save_tiny_writer

SCHEMA = {
    "type": "object",
    "properties": {"side": {"enum": ["left", "right"]}, "sure": {"type": "boolean"}},
    "required": ["side", "sure"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_writer(tmp_path_factory.mktemp("writer"))


def _picture(grey: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (40, 30), grey).save(buffer, format="PNG")
    return buffer.getvalue()


def _local(folder: Path, max_tokens: int = 40) -> LocalModel:
    return LocalModel(LocalParams(str(folder), None, max_tokens))


def test_an_answer_with_a_schema_is_valid_even_from_a_model_that_knows_nothing(writer: Path) -> None:
    answer = _local(writer).ask(ChatRequest("be brief", (_picture(), _picture(200), "which side?"), SCHEMA))
    assert answer.finish == "stop" and set(json.loads(answer.text)) == {"side", "sure"}
    assert answer.prompt_tokens > 20 and 0 < answer.completion_tokens <= 40


def test_the_same_question_has_the_same_answer_and_the_picture_matters_to_the_input(writer: Path) -> None:
    model = _local(writer)
    asked = ChatRequest("", (_picture(), "which side?"))
    assert model.ask(asked).text == model.ask(asked).text
    dark, bright = (model._inputs(ChatRequest("", (_picture(grey), "which side?"))) for grey in (0, 255))
    assert (dark["pixel_values"] != bright["pixel_values"]).any() and (dark["input_ids"] == bright["input_ids"]).all()


def test_free_text_that_does_not_end_is_a_cut_off_answer(writer: Path) -> None:
    assert _local(writer, max_tokens=3).ask(ChatRequest("", (_picture(), "which side?"), SCHEMA)).finish == "length"


def test_earlier_answers_and_complaints_are_part_of_the_question(writer: Path) -> None:
    model = _local(writer)
    short = model._inputs(ChatRequest("", (_picture(), "a")))["input_ids"].shape[1]
    long = model._inputs(ChatRequest("", (_picture(), "a"), history=(("wrong", "try again"),)))["input_ids"].shape[1]
    assert long > short


def test_a_question_beyond_the_models_length_says_so(tmp_path: Path) -> None:
    with pytest.raises(ChatError, match="too_long.*takes 512"):
        _local(save_tiny_base(tmp_path)).ask(ChatRequest("", (_picture(), "word " * 600)))


@pytest.mark.parametrize(
    ("model", "revision", "says"),
    [(None, None, "vlm.local.model must be"), ("org/name", None, "pin its commit"), ("{folder}", None, "config.json is missing")],
)
def test_a_model_that_is_not_there_is_named(tmp_path: Path, model: str | None, revision: str | None, says: str) -> None:
    with pytest.raises(ParamError, match=says):
        LocalModel(LocalParams(model and model.format(folder=tmp_path), revision, 10))


def test_a_folder_that_holds_no_model_of_this_kind_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(ParamError, match=f"{tmp_path}.*no image-text-to-text model"):
        _local(tmp_path).ask(ChatRequest("", (_picture(), "a")))


def test_other_weights_are_another_revision(writer: Path, tmp_path: Path) -> None:
    assert _local(writer).identity != _local(save_tiny_writer(tmp_path, seed=1)).identity
