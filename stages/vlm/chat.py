"""One question to a vision-language model, whoever answers it: request, answer, what went wrong, and the store of answers.

A backend (``endpoint``, ``local``) turns a request into an answer. ``Asker`` stands before it: an answer that is in
the store is taken from there, so that a stage which was killed pays for nothing twice and ends with the same bytes.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from stages.core.cache import load_answer, request_key, store_answer

STORE = "answers"
# Faults that concern every request alike: going on would only repeat them.
FATAL = frozenset({"wrong_key", "no_such_model", "unreachable", "cannot_see"})


@dataclass(frozen=True)
class ChatRequest:
    """What is asked: system text, then text and PNG pictures in order, with the JSON schema of the answer (None: free text).

    ``history`` holds earlier (answer, complaint) pairs of the same question; ``draw`` tells repeated questions apart.
    """

    system: str
    parts: tuple[str | bytes, ...]
    schema: dict[str, Any] | None = None
    schema_name: str = "answer"
    history: tuple[tuple[str, str], ...] = ()
    draw: int = 0


@dataclass(frozen=True)
class ChatAnswer:
    """What came back. ``finish``: stop | length | refused. ``latency_s`` is the time from sending to the whole answer."""

    text: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    retries: int = 0
    latency_s: float = 0.0


class ChatError(Exception):
    """A question without a usable answer: ``kind`` is a short code, ``cause`` says what to do."""

    def __init__(self, kind: str, cause: str) -> None:
        super().__init__(kind, cause)
        self.kind, self.cause = kind, cause

    @property
    def fatal(self) -> bool:
        """Whether every other request would fail the same way."""
        return self.kind in FATAL


class ChatBackend(Protocol):
    """Somebody who answers. ``identity`` is all that the answer depends on beside the request (never a key or an address)."""

    name: str
    model: str
    revision: str

    @property
    def identity(self) -> dict[str, Any]: ...

    def ask(self, request: ChatRequest) -> ChatAnswer:
        """The answer.

        Raises:
            ChatError: there is none.
        """
        ...


@dataclass
class Asker:
    """A backend behind the store of answers. ``paid`` counts requests that went out, ``reused`` answers from the store."""

    backend: ChatBackend
    paid: int = 0
    reused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _under_way: dict[str, threading.Lock] = field(default_factory=dict, repr=False)

    def ask(self, request: ChatRequest) -> ChatAnswer:
        """The stored answer, or a new one, stored before it is returned.

        Raises:
            ChatError: the backend has none. Failures are not stored: the next run asks again.
        """
        key = key_of(request, self.backend.identity)
        with self._lock:
            alone = self._under_way.setdefault(key, threading.Lock())
        with alone:  # the same question asked twice at once is sent once
            stored = load_answer(STORE, key)
            answer = ChatAnswer(**stored) if stored is not None else self.backend.ask(request)
            if stored is None:
                store_answer(STORE, key, asdict(answer))
        with self._lock:
            self._under_way.pop(key, None)
            self.paid, self.reused = (self.paid + 1, self.reused) if stored is None else (self.paid, self.reused + 1)
        return answer


def key_of(request: ChatRequest, identity: dict[str, Any]) -> str:
    """Key of a request in the store: its texts, the hashes of its pictures, and who is asked how."""
    parts = [part if isinstance(part, str) else {"png": hashlib.sha256(part).hexdigest()} for part in request.parts]
    return request_key(
        {
            "system": request.system,
            "parts": parts,
            "schema": request.schema,
            "history": [list(pair) for pair in request.history],
            "draw": request.draw,
            "identity": identity,
        }
    )


def transcript(request: ChatRequest, system_turn: bool) -> list[dict[str, Any]]:
    """The request as (role, parts) turns: system, user, then each earlier answer with the complaint about it.

    Not every chat template knows a system turn: without ``system_turn`` its text opens the user's.
    """
    system = [request.system] if request.system else []
    turns: list[dict[str, Any]] = [{"role": "system", "parts": system}] if system and system_turn else []
    turns.append({"role": "user", "parts": [*([] if system_turn else system), *request.parts]})
    for answer, complaint in request.history:
        turns += [{"role": "assistant", "parts": [answer]}, {"role": "user", "parts": [complaint]}]
    return turns
