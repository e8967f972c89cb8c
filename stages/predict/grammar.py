"""Constrained decoding: the decoder can write nothing but an answer of the codec that decodes as boxes or as "none".

Two sieves. xgrammar masks, for the whole vocabulary at once, what leaves the codec's grammar. A grammar cannot compare
numbers, so what it lets pass is checked against ``codec.possible``, which knows that a far edge lies beyond the near
one, and where the picture ends in its padding; decoding is greedy, so only the token that would be written next needs that check. Location tokens are compared
as numbers, for all rows and bins at once, and come through the check at the first try.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch

from stages.predict.locations import Locations, find_locations
from stages.vlm.codecs import BoxCodec

SeenPx = tuple[int, int] | None
SizePx = tuple[int, int] | None
_NEVER = float("-inf")


class BoxGrammar:
    """A codec's grammar over a model's vocabulary, compiled once and used for every batch.

    ``vocabulary`` is the number of logits, ``end_id`` the token that closes an answer.
    """

    def __init__(self, codec: BoxCodec, tokenizer: Any, vocabulary: int, end_id: int, max_boxes: int) -> None:
        import xgrammar

        self.codec, self.max_boxes, self.end_id, self.vocabulary = codec, max_boxes, end_id, vocabulary
        self.locations: Locations | None = find_locations(codec, tokenizer)
        info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=vocabulary, stop_token_ids=[end_id])
        self.pieces: list[bytes] = info.decoded_vocab
        self.banned = _spelled_marks(codec, tokenizer, self.pieces)
        self._compiler = xgrammar.GrammarCompiler(info)
        self._compiled: dict[SeenPx, Any] = {}
        self.possible = functools.lru_cache(maxsize=1 << 16)(self._possible)

    def matcher(self, seen_px: SeenPx) -> Any:
        """A fresh xgrammar matcher. Only a codec of absolute pixels has another grammar for another picture size."""
        import xgrammar

        text = self.codec.ebnf(self.max_boxes, seen_px)
        if text not in self._compiled:
            self._compiled[text] = self._compiler.compile_grammar(text)
        return xgrammar.GrammarMatcher(self._compiled[text])

    def _possible(self, text: str, seen_px: SeenPx, size_px: SizePx) -> bool:
        return self.codec.possible(text, self.max_boxes, seen_px, size_px)


def _spelled_marks(codec: BoxCodec, tokenizer: Any, pieces: Sequence[bytes]) -> Any:
    """Ids (int64 tensor) of ordinary tokens with a "<", where the codec's marks are tokens of their own.

    Without them a mark can be written in one way only, the one that the model was trained on.
    """
    added = set(tokenizer.get_added_vocab().values())
    answer = tokenizer(codec.encode([[100.0, 100.0, 900.0, 900.0]], 1000, 1000, (1000, 1000)), add_special_tokens=False)["input_ids"]
    if not any(token in added and b"<" in pieces[token] for token in answer):
        return torch.zeros(0, dtype=torch.int64)
    return torch.tensor([token for token, piece in enumerate(pieces) if b"<" in piece and token not in added], dtype=torch.int64)


class Session:
    """The answers of one batch under way: what each row has written, and what it may write next.

    Per row ``seen_px``, (width, height) of the picture as the model sees it, and ``size_px``, that of the original picture.
    """

    def __init__(self, grammar: BoxGrammar, seen_px: Sequence[SeenPx], size_px: Sequence[SizePx]) -> None:
        self._grammar, self._seen, self._sizes = grammar, list(seen_px), list(size_px)
        self._matchers = [grammar.matcher(seen) for seen in seen_px]
        self._written = [b""] * len(self._seen)
        self._bins: list[list[int]] = [[] for _ in self._seen]

    def accept(self, tokens: Sequence[int]) -> None:
        """Take note of the token that each row has written; rows that have ended are left alone."""
        locations = self._grammar.locations
        for row, token in enumerate(tokens):
            if self._matchers[row].is_terminated():
                continue
            if not self._matchers[row].accept_token(token):
                raise RuntimeError(f"token {token} was written though the grammar of {self._grammar.codec.name} forbids it")
            self._written[row] += self._grammar.pieces[token]
            bin_index = None if locations is None else locations.bin_of(token)
            if bin_index is not None:
                self._bins[row].append(bin_index)

    def restrict(self, scores: Any) -> Any:
        """Scores (rows, vocabulary) with -inf for what may not come next; rows that have ended stay as they are."""
        rows = [row for row, matcher in enumerate(self._matchers) if not matcher.is_terminated()]
        if not rows:
            return scores
        masked = self._by_grammar(scores, rows)
        self._by_number(masked, rows)
        undecided = rows
        while undecided:
            best = masked[undecided].max(dim=-1)
            chances, choices = best.values.tolist(), best.indices.tolist()
            wrong = []
            for row, chance, choice in zip(undecided, chances, choices, strict=True):
                if chance == _NEVER:
                    raise RuntimeError(f"{self._grammar.codec.name}: no token may follow {self._written[row]!r}: grammar and `possible` disagree")
                if not self._may_write(row, choice):
                    masked[row, choice] = _NEVER
                    wrong.append(row)
            undecided = wrong
        return masked

    def _by_grammar(self, scores: Any, rows: Sequence[int]) -> Any:
        import xgrammar

        grammar = self._grammar
        allowed = xgrammar.allocate_token_bitmask(len(self._matchers), grammar.vocabulary)
        for row in rows:
            self._matchers[row].fill_next_token_bitmask(allowed, row)
        masked = scores.float().clone()
        xgrammar.apply_token_bitmask_inplace(masked, allowed.to(masked.device), indices=list(rows))
        if len(grammar.banned):
            where = torch.tensor(rows, device=masked.device)[:, None], grammar.banned.to(masked.device)[None, :]
            masked[where] = _NEVER
        return masked

    def _by_number(self, masked: Any, rows: Sequence[int]) -> None:
        """Mask the location tokens that would close a box before it begins, for all rows at once."""
        locations = self._grammar.locations
        if locations is None:
            return
        bounds = torch.tensor([locations.bounds(self._bins[row]) for row in rows], device=masked.device)
        bins = torch.arange(len(locations.ids), device=masked.device)
        outside = (bins < bounds[:, :1]) | (bins > bounds[:, 1:])
        where = torch.tensor(rows, device=masked.device)[:, None], torch.tensor(locations.ids, device=masked.device)[None, :]
        masked[where] = masked[where].masked_fill(outside, _NEVER)

    def _may_write(self, row: int, token: int) -> bool:
        """Whether an answer that counts may begin with what the row has written and this token.

        The end is xgrammar's to allow: what is complete in the grammar, and possible, decodes as ok or none.
        """
        if token == self._grammar.end_id:
            return True
        text = (self._written[row] + self._grammar.pieces[token]).decode("utf-8", errors="strict")
        return self._grammar.possible(text, self._seen[row], self._sizes[row])
