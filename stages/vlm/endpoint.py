"""An OpenAI-compatible server as a backend: vLLM, SGLang, ``transformers serve``, and the compatible endpoints of Gemini and OpenAI.

The ``openai`` client does the waiting: it repeats a request after 408, 409, 429, 5xx and broken connections, with
exponential back-off and jitter, and obeys ``Retry-After``. Keys come from the environment alone and stand in no
message, key of the store, or out.
"""

from __future__ import annotations

import base64
import os
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stages.core.params import EndpointParams, ParamError, require
from stages.vlm.chat import ChatAnswer, ChatError, ChatRequest, transcript

if TYPE_CHECKING:
    from openai import APIStatusError

STRUCTURED = ("json_schema", "json_object", "none")
_LONGEST_MESSAGE = 300


def check(params: EndpointParams) -> None:
    """Ranges of the ``vlm.endpoint`` block.

    Raises:
        ParamError: names the parameter.
    """
    where = "vlm.endpoint"
    parts = urlsplit(params.base_url)
    require(parts.scheme in ("http", "https") and bool(parts.hostname), f"{where}.base_url", "an http(s) address", params.base_url)
    if parts.username or parts.password:
        raise ParamError(f"{where}.base_url holds a user name or password: keys belong into the environment ({where}.api_key_env)")
    require(bool(params.model), f"{where}.model", "the name under which the server knows the model", params.model)
    require(params.structured in STRUCTURED, f"{where}.structured", f"one of {', '.join(STRUCTURED)}", params.structured)
    require(0 <= params.temperature <= 2, f"{where}.temperature", "between 0 and 2", params.temperature)
    for name in ("max_tokens", "concurrency", "timeout_s"):
        require(getattr(params, name) > 0, f"{where}.{name}", "above 0", getattr(params, name))
    for name in ("requests_per_minute", "max_retries", "max_requests", "max_cost", "price_per_million_input", "price_per_million_output"):
        require(getattr(params, name) >= 0, f"{where}.{name}", "0 or more", getattr(params, name))


class Endpoint:
    """Asks a server. Safe to use from several threads; requests start at most ``requests_per_minute`` times a minute."""

    name = "endpoint"

    def __init__(self, params: EndpointParams, seed: int) -> None:
        """Open a client; no request is sent.

        Raises:
            ParamError: a parameter is out of range, or the environment lacks the key.
        """
        check(params)
        from openai import OpenAI

        self.params, self.seed = params, seed
        self.model, self.revision = params.model or "", params.revision
        self._key = _key(params.api_key_env)
        self._client = OpenAI(base_url=params.base_url, api_key=self._key or "none", timeout=params.timeout_s, max_retries=params.max_retries)
        self._pace = _Pace(params.requests_per_minute)

    @property
    def identity(self) -> dict[str, Any]:
        """What an answer depends on: model, revision, decoding. The address is left out: a model may move."""
        p = self.params
        return {
            "backend": self.name, "model": p.model, "revision": p.revision, "structured": p.structured, "system_turn": p.system_turn,
            "temperature": p.temperature, "max_tokens": p.max_tokens, "seed": self.seed,
        }  # fmt: skip

    def ask(self, request: ChatRequest) -> ChatAnswer:
        """Send a request and wait for the whole answer.

        Raises:
            ChatError: wrong_key, no_such_model, unreachable, timed_out, rate_limited, server_error, bad_request, bad_answer.
        """
        import openai
        from pydantic import ValidationError

        self._pace.wait()
        begun = time.monotonic()
        try:
            raw = self._client.chat.completions.with_raw_response.create(**self._body(request))
            completion = raw.parse()
        except openai.APITimeoutError as error:
            raise ChatError("timed_out", f"no answer within {self.params.timeout_s:g} s; raise vlm.endpoint.timeout_s") from error
        except openai.APIConnectionError as error:
            raise ChatError("unreachable", self._clean(f"no connection to {self.params.base_url} ({error.__cause__ or error})")) from error
        except openai.APIStatusError as error:
            raise self._status_error(error) from error
        except (openai.APIError, ValidationError, ValueError) as error:
            raise ChatError("bad_answer", self._clean(f"the server's reply is no chat completion ({error})")) from error
        return self._answer(completion, raw.retries_taken, time.monotonic() - begun)

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        p = self.params
        body: dict[str, Any] = {
            "model": p.model,
            "messages": [{"role": turn["role"], "content": _content(turn["parts"])} for turn in transcript(request, p.system_turn)],
            "temperature": p.temperature,
            "max_tokens": p.max_tokens,
            "seed": (self.seed + request.draw) % 2**31,
        }
        if request.schema is not None and p.structured == "json_schema":
            schema = {"name": request.schema_name, "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif request.schema is not None and p.structured == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def _answer(self, completion: Any, retries: int, latency_s: float) -> ChatAnswer:
        choices = getattr(completion, "choices", None)
        if not choices or choices[0].message is None:
            raise ChatError("bad_answer", "the server's reply holds no choice")
        choice, usage = choices[0], completion.usage
        refusal = getattr(choice.message, "refusal", None)
        refused = bool(refusal) or choice.finish_reason == "content_filter"
        finish = "refused" if refused else "length" if choice.finish_reason == "length" else "stop"
        return ChatAnswer(
            text=refusal or choice.message.content or "",
            finish=finish,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
            retries=retries,
            latency_s=round(latency_s, 3),
        )

    def _status_error(self, error: APIStatusError) -> ChatError:
        status, said = error.status_code, self._clean(error.message)
        if status in (401, 403):
            source = self.params.api_key_env or "nothing: vlm.endpoint.api_key_env is null"
            return ChatError("wrong_key", f"the server refuses the key taken from {source} (HTTP {status}: {said})")
        if status == 404:
            return ChatError("no_such_model", f"the server knows no model {self.params.model!r} or no such path (HTTP 404: {said})")
        if status == 429:
            return ChatError("rate_limited", f"still refused after {self.params.max_retries} repeats (HTTP 429: {said})")
        if status >= 500:
            return ChatError("server_error", f"HTTP {status} after {self.params.max_retries} repeats: {said}")
        hint = "; does the model take pictures, and the server vlm.endpoint.structured?"
        return ChatError("bad_request", f"HTTP {status}: {said}{hint}")

    def _clean(self, text: str) -> str:
        """A message without the key, on one line, cut."""
        text = " ".join(text.split())
        return (text.replace(self._key, "***") if self._key else text)[:_LONGEST_MESSAGE]


def _content(parts: list[str | bytes]) -> Any:
    """Message content as the protocol has it: plain text, or text and picture parts (PNG as a data URI)."""
    if all(isinstance(part, str) for part in parts):
        return "\n".join(part for part in parts if isinstance(part, str))
    return [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(part).decode()}}
        for part in parts
    ]


def _key(variable: str | None) -> str:
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ParamError(f"the environment variable {variable} is empty: export the endpoint's key there, or set vlm.endpoint.api_key_env to null")
    return key


class _Pace:
    """Spaces the starts of requests evenly; 0 a minute is no limit."""

    def __init__(self, per_minute: float) -> None:
        self._gap_s = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may start."""
        if not self._gap_s:
            return
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._gap_s
        time.sleep(max(0.0, start - now))
