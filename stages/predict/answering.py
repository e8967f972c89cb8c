"""All questions of a contender, batch after batch. What a batch wrote is kept, so that a stopped run goes on where it was.

The batches follow from the questions alone, not from what is still missing: a run that was stopped ends with the same
bytes as one that was not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stages.core.cache import load_answer, request_key, store_answer
from stages.predict.asks import Ask
from stages.predict.batching import PromptLengths, batches
from stages.predict.generation import Answer, Pointer
from stages.predict.steering import Trace

if TYPE_CHECKING:
    from PIL.Image import Image

STORE = "predictions"


def answer_all(
    pointer: Pointer,
    asks: Sequence[Ask],
    picture_of: Callable[[Ask], Image],
    batch_size: int,
    batch_tokens: int,
    identity: dict[str, Any] | None = None,
    picture_hash: Callable[[Ask], str] = lambda ask: "",
) -> Iterator[Answer]:
    """Answers in the order of the batches. With an ``identity`` (all that an answer depends on beside its question) they are kept."""
    length_of = PromptLengths(pointer.family, pointer.processor)
    for batch in batches(asks, length_of, pointer.limit, batch_size, batch_tokens):
        key = None if identity is None else _key(batch, identity, picture_hash)
        traces = _kept(key)
        if traces is None:
            traces = pointer.write(batch, [picture_of(ask) for ask in batch])
            if key is not None:
                store_answer(STORE, key, [asdict(trace) for trace in traces])
        yield from (pointer.read(ask, trace) for ask, trace in zip(batch, traces, strict=True))


def _kept(key: str | None) -> list[Trace] | None:
    stored = None if key is None else load_answer(STORE, key)
    return None if stored is None else [Trace(**row) for row in stored]


def _key(batch: Sequence[Ask], identity: dict[str, Any], picture_hash: Callable[[Ask], str]) -> str:
    questions = [[ask.expression, ask.width, ask.height, ask.probe, picture_hash(ask)] for ask in batch]
    return request_key({"identity": identity, "batch": questions})


def png_hash(png: dict[str, bytes]) -> Callable[[Ask], str]:
    """Hash of a question's picture as it is stored."""
    known: dict[str, str] = {}

    def of(ask: Ask) -> str:
        if ask.sample_id not in known:
            known[ask.sample_id] = hashlib.sha256(png[ask.sample_id]).hexdigest()
        return known[ask.sample_id]

    return of
