"""Texts that stand in two splits, word for word or nearly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.core.records import Example

# Two texts are near duplicates from this Jaccard similarity of their shingles on: a word exchanged in a dozen, not in half a dozen.
NEAR_JACCARD = 0.8
_BLOCK = 512


def shared_texts(examples: Sequence[Example]) -> dict[str, float]:
    """Shares of the test texts that stand in training: ``text`` word for word, ``text_near`` as a near duplicate (those included).

    Case, spaces and punctuation do not count. 0 without test texts.
    """
    known = {normal(example.text) for example in examples if example.split == "train"}
    test = [normal(example.text) for example in examples if example.split == "test"]
    if not test:
        return {"text": 0.0, "text_near": 0.0}
    distinct = sorted(set(test))
    near = {text for text, found in zip(distinct, near_any(distinct, sorted(known)), strict=True) if found}
    return {"text": sum(text in known for text in test) / len(test), "text_near": sum(text in near for text in test) / len(test)}


def normal(text: str) -> str:
    """The words of a text in small letters, one space between them."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def shingles(text: str) -> set[str]:
    """Words and pairs of neighbouring words of a normal text (Broder, On the resemblance of documents, 1997)."""
    words = text.split()
    return {*words, *(f"{first} {second}" for first, second in zip(words, words[1:], strict=False))}


def near_any(texts: Sequence[str], others: Sequence[str], least: float = NEAR_JACCARD) -> np.ndarray:
    """Whether each of ``texts`` has a Jaccard similarity of at least ``least`` with one of ``others``; shape (texts,).

    Sparse products of shingle sets, a block of texts at a time: memory follows the block's matches.
    """
    numbers: dict[str, int] = {}
    rows, columns = _incidence(texts, numbers), _incidence(others, numbers)
    if not texts or not others or not numbers:
        return np.zeros(len(texts), bool)
    left, right = _sparse(rows, len(numbers)), _sparse(columns, len(numbers)).T.tocsr()
    sizes, other_sizes = np.array([len(row) for row in rows]), np.array([len(row) for row in columns])
    found = np.zeros(len(texts), bool)
    for start in range(0, len(texts), _BLOCK):
        shared = (left[start : start + _BLOCK] @ right).tocoo()
        union = sizes[start + shared.row] + other_sizes[shared.col] - shared.data
        found[start + shared.row[shared.data >= least * union]] = True
    return found


def _incidence(texts: Sequence[str], numbers: dict[str, int]) -> list[list[int]]:
    """Numbers of each text's shingles; new shingles get the next number."""
    return [[numbers.setdefault(shingle, len(numbers)) for shingle in sorted(shingles(text))] for text in texts]


def _sparse(rows: Sequence[Sequence[int]], width: int) -> Any:
    """Binary CSR matrix of shape (rows, width) with ones at the listed columns."""
    from scipy.sparse import csr_matrix

    ends = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter((column for row in rows for column in row), np.int64, count=int(ends[-1]))
    return csr_matrix((np.ones(len(columns), np.int32), columns, ends), shape=(len(rows), width))
