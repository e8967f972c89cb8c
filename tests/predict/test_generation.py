"""A batch answers as its members do alone, and within the grammar every answer can be read, for every family."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from stages.core.stage import StageError
from stages.predict.answering import answer_all
from stages.predict.generation import Answer, Pointer
from stages.predict.grammar import Session
from tests.predict.loaded import ASKS, picture_of, pointer
from tests.vlm.families.tiny_models import BUILDERS

FAMILIES = sorted(BUILDERS)


def answers(ready: Pointer, batch_size: int, asks: list = ASKS, batch_tokens: int = 100_000) -> dict[str, Answer]:
    return {answer.ask.example_id: answer for answer in answer_all(ready, asks, picture_of, batch_size, batch_tokens)}


@pytest.mark.parametrize(("name", "constrained"), [("nano", True), ("nano", False), ("qwen2_5_vl", True), ("florence2", True)])
def test_batched_answers_equal_single_ones(name: str, constrained: bool) -> None:
    ready = pointer(name, constrained)
    alone, together = answers(ready, 1), answers(ready, 4, ASKS[::-1])
    assert set(alone) == {"a", "b", "c", "d"}
    for key, answer in alone.items():
        other = together[key]
        assert (other.text, other.decoded, other.n_tokens, other.n_steered) == (answer.text, answer.decoded, answer.n_tokens, answer.n_steered)
        assert np.allclose(other.scores, answer.scores, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_an_untrained_model_within_the_grammar_always_gives_boxes_or_none(name: str) -> None:
    ready = pointer(name, constrained=True)
    for answer in answers(ready, 4).values():
        assert answer.decoded.outcome in ("ok", "none"), (answer.text, answer.decoded)
        assert len(answer.decoded.boxes_xyxy_px) <= 2
        assert answer.n_tokens < ready.limit
        assert all(0 <= score <= 1 for score in answer.scores)


def test_an_untrained_model_without_the_grammar_is_a_parse_failure_and_not_a_box() -> None:
    found = answers(pointer("nano", constrained=False), 4).values()
    assert {answer.n_steered for answer in found} == {0}
    for answer in found:
        assert (answer.decoded.outcome in ("ok", "repaired")) == bool(answer.decoded.boxes_xyxy_px)
    assert any(answer.decoded.outcome not in ("ok", "none") for answer in found)


@pytest.mark.parametrize("name", ["nano", "qwen3_vl", "qwen2_vl", "qwen2_5_vl", "paligemma", "florence2", "internvl3", "medgemma"])
@settings(max_examples=4, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(seed=st.integers(0, 2**31))
def test_whatever_the_logits_say_an_answer_decodes(name: str, seed: int) -> None:
    ready = pointer(name, constrained=True)
    seen_px, size_px = [(56, 28), (60, 40), (32, 32), (64, 64)], [(60, 40), (400, 31), (9, 700), (33, 33)]
    for text, seen, (width, height) in zip(_written(ready, seed, seen_px, size_px), seen_px, size_px, strict=True):
        decoded = ready.family.box_codec.decode(text, width, height, seen)
        assert decoded.outcome in ("ok", "none"), text
        assert all(0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height for x0, y0, x1, y1 in decoded.boxes_xyxy_px)


def _written(ready: Pointer, seed: int, seen_px: list, size_px: list) -> list[str]:
    """Texts of four rows that follow random logits; the end is likely now and then, and boxes now and then."""
    noise = torch.Generator().manual_seed(seed)
    grammar = ready._grammar
    session, texts, open_rows = Session(grammar, seen_px, size_px), [b""] * 4, set(range(4))
    for _ in range(ready.limit):
        scores = torch.randn(4, grammar.vocabulary, generator=noise) * 4
        scores[:, grammar.end_id] += 8 * torch.rand(4, generator=noise)
        chosen = session.restrict(scores).argmax(dim=-1).tolist()
        for row in sorted(open_rows):
            if chosen[row] == grammar.end_id:
                open_rows.discard(row)
            else:
                texts[row] += grammar.pieces[chosen[row]]
        session.accept(chosen)
        if not open_rows:
            break
    assert not open_rows
    return [text.decode() for text in texts]


def test_what_a_trained_model_would_write_passes_unchanged() -> None:
    for name in FAMILIES:
        ready = pointer(name, constrained=True)
        text = ready.family.box_codec.encode([[5, 6, 30, 32], [8, 2, 50, 39]], 60, 40, (56, 28))
        ids = ready.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        session = Session(ready._grammar, [(56, 28)], [(60, 40)])
        for token in [*ids, ready._grammar.end_id]:
            scores = torch.zeros(1, ready._grammar.vocabulary)
            scores[0, token] = 1.0
            assert int(session.restrict(scores).argmax()) == token, (name, text)
            session.accept([token])


def test_a_batch_holds_no_more_tokens_than_the_budget() -> None:
    ready = pointer("nano", constrained=True)
    sizes = []
    write = ready.write
    ready.write = lambda asks, pictures: (sizes.append(len(asks)), write(asks, pictures))[1]  # type: ignore[method-assign]
    assert set(answers(ready, 4, batch_tokens=1)) == {"a", "b", "c", "d"}
    assert sizes == [1, 1, 1, 1]


def test_running_out_of_memory_says_what_to_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = pointer("nano", constrained=True)

    def full(**_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    ready.model = SimpleNamespace(generate=full, device=ready.model.device, dtype=ready.model.dtype)
    with pytest.raises(StageError, match="batch of 4 examples .* lower predict.batch_tokens"):
        answers(ready, 4)
