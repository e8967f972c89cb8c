"""Predictions of a model behind an OpenAI-compatible server: asked for boxes in the form of a codec, read by that codec.

Decoding is greedy (temperature 0). The server gives no chances, so every box has score 1. Answers are kept: a run that
was stopped, or whose server failed, goes on where it was and pays for nothing twice.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from stages.core.params import ParamError, Params
from stages.core.records import Prediction
from stages.core.stage import StageError
from stages.predict.asks import Ask, Pictures, plain_ask, read_examples
from stages.predict.table import write_predictions
from stages.vlm.asking import Inquiry, Outcome, Purpose, endpoint_model, spending
from stages.vlm.chat import ChatAnswer, ChatRequest
from stages.vlm.codecs import CODECS, Decoded
from stages.vlm.codecs.resize import smart_resize
from stages.vlm.families.qwen2_5_vl import FACTOR
from stages.vlm.families.words import referent

_THOUSANDTHS = "in whole thousandths of the picture's width and height"
# What the numbers of a codec mean, in words; how they are written is shown by the codec itself.
SPACES = {
    "json1000": f"x0, y0, x1, y1 {_THOUSANDTHS}",
    "qwen3": f"x0, y0, x1, y1 {_THOUSANDTHS}",
    "qwen2": f"x0, y0, x1, y1 {_THOUSANDTHS}",
    "qwen2_5": "x0, y0, x1, y1 in whole pixels of the picture",
    "internvl": f"x0, y0, x1, y1 {_THOUSANDTHS}",
    "glm4_5v": f"x0, y0, x1, y1 {_THOUSANDTHS}",
    "gemini": f"y0, x0, y1, x1 {_THOUSANDTHS}",
}
PIXELS = "qwen2_5"
# A picture whose sides are multiples of Qwen2.5-VL's factor, within its limits, is not resized by its processor: the
# pixels that it answers in are then those of the picture that was sent.
_LEAST_PIXELS, _MOST_PIXELS = 56 * 56, 1280 * FACTOR * FACTOR


def ask_endpoint(params: Params, contender: str, corpus: Path, split: str, out: Path) -> None:
    """Ask about every example of a split (no probes) and write the table.

    Raises:
        ParamError: the endpoint's parameters, or a codec that cannot be asked for.
        StageError: the server does not answer, the model does not see, or examples are left without an answer.
    """
    name = params.predict.endpoint_codec
    if name not in SPACES:
        raise ParamError(f"params.yaml:predict:endpoint_codec: {name!r} cannot be asked for in words; expected one of {', '.join(sorted(SPACES))}")
    examples = read_examples(corpus, split)
    pictures = Pictures(corpus, {example.sample_id for example in examples})
    greedy = replace(params.vlm.endpoint, temperature=0.0, structured="none")
    model = endpoint_model(replace(params, vlm=replace(params.vlm, endpoint=greedy)))
    inquiry = Inquiry(model, Purpose("predict", "vlm.endpoint:", "example"), max_error_rate=0.0)
    inquiry.check_sight()
    asks = [plain_ask(example) for example in examples]
    found = list(inquiry.ask_all(iter(asks), len(asks), lambda ask: _ask(inquiry, ask, pictures, name, contender)))
    rows = [outcome.value for outcome in found if outcome is not None and outcome.value is not None]
    if len(rows) < len(asks):
        faults = [f"{kind}: {cause}" for outcome in found if outcome is not None for kind, cause in outcome.faults]
        budget = sum(outcome is None for outcome in found)
        cause = f"{budget} beyond the budget (vlm.endpoint.max_requests, max_cost)" if budget else faults[0]
        raise StageError(f"{len(asks) - len(rows)} of {len(asks)} examples have no answer ({cause}). Answers so far are kept: mend the cause and run again")
    about = {"contender": contender, "model": model.backend.model, "revision": model.backend.revision, "codec": name, "split": split}
    used = {key: value for key, value in spending(inquiry.spent).items() if key in ("requests", "tokens", "cost")}
    write_predictions(out, rows, {**about, "constrained": False, "spent": used})


def instruction(codec: str, expression: str) -> str:
    """What is asked: the form is shown by the codec itself, so that question and reading cannot drift apart."""
    example = CODECS[codec].encode([[120.0, 240.0, 360.0, 480.0]], 1000, 1000, (1000, 1000))
    nothing = CODECS[codec].encode([], 1000, 1000, (1000, 1000))
    return (
        f"Locate in this picture: {referent(expression)}\n"
        f"Answer with nothing but one box for each object meant, in this form: {example}\n"
        f"The numbers are {SPACES[codec]}, from its upper left corner. If there is no such object, answer {nothing}"
    )


def _ask(inquiry: Inquiry, ask: Ask, pictures: Pictures, codec: str, contender: str) -> Outcome[Prediction]:
    """One question; a refusal is an answer, a request that failed is none."""
    png, sent = _sent(ask, pictures, codec)

    def read(answer: ChatAnswer) -> tuple[Prediction, list[tuple[str, str]]]:
        decoded = CODECS[codec].decode(answer.text, ask.width, ask.height, sent)
        return _row(ask, contender, answer.text, decoded, answer.completion_tokens), []

    outcome = inquiry.ask(ChatRequest("", (png, instruction(codec, ask.expression))), read, lambda _: "", repairs=0)
    if outcome.value is None and outcome.faults and outcome.faults[0][0] == "refused":
        return replace(outcome, value=_row(ask, contender, outcome.faults[0][1], Decoded([], "refusal"), 0))
    return outcome


def _row(ask: Ask, contender: str, text: str, decoded: Decoded, n_tokens: int) -> Prediction:
    scores = [1.0] * len(decoded.boxes_xyxy_px)
    return Prediction(ask.example_id, contender, text, decoded.boxes_xyxy_px, scores, decoded.outcome, n_tokens)


def _sent(ask: Ask, pictures: Pictures, codec: str) -> tuple[bytes, tuple[int, int]]:
    """PNG bytes to send and their (width, height)."""
    if codec != PIXELS:
        return pictures.png[ask.sample_id], (ask.width, ask.height)
    from PIL import Image

    size = smart_resize(ask.width, ask.height, FACTOR, _LEAST_PIXELS, _MOST_PIXELS)
    picture: Any = pictures(ask)
    buffer = io.BytesIO()
    picture.resize(size, Image.Resampling.BICUBIC).save(buffer, format="PNG")
    return buffer.getvalue(), size
