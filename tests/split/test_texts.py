"""Texts between splits."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.records import Example
from stages.split.texts import near_any, normal, shared_texts, shingles

WORDS = st.lists(st.sampled_from(["the", "largest", "small", "lesion", "in", "left", "right", "kidney", "of", "liver"]), max_size=9).map(" ".join)


def example(number: int, text: str, split: str) -> Example:
    return Example(str(number), "s", "d", "p", "ct", text, "lesion", [], 9, 9, split, "none", 0, "none", [], "CC0-1.0")


def jaccard(first: str, second: str) -> float:
    a, b = shingles(first), shingles(second)
    return len(a & b) / len(a | b) if a | b else 0.0


@given(st.lists(WORDS, min_size=1, max_size=6), st.lists(WORDS, min_size=1, max_size=6), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_the_sparse_search_finds_what_comparing_every_pair_finds(texts: list[str], others: list[str], least: float) -> None:
    assert near_any(texts, others, least).tolist() == [any(jaccard(text, other) >= least for other in others) for text in texts]


def test_searching_in_blocks_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"the lesion number {number} in the liver" for number in range(9)]
    whole = near_any(texts, texts[::2], 0.9)
    monkeypatch.setattr("stages.split.texts._BLOCK", 2)
    assert near_any(texts, texts[::2], 0.9).tolist() == whole.tolist() == [number % 2 == 0 for number in range(9)]


def test_verbatim_and_near_texts_are_counted_over_test_texts() -> None:
    train = "Mark the largest of the three lesions in the upper pole of the left kidney."
    near = "Mark the largest of the three lesions in the upper pole of the left kidney, please."
    examples = [example(0, train, "train"), example(1, "mark the  largest of the three lesions in the upper pole of the left kidney", "test")]
    examples += [example(2, near, "test"), example(3, "aorta", "test"), example(4, "aorta", "val")]
    assert shared_texts(examples) == {"text": pytest.approx(1 / 3), "text_near": pytest.approx(2 / 3)}


def test_no_test_text_is_zero_and_no_division_by_it() -> None:
    assert shared_texts([example(0, "aorta", "train")]) == {"text": 0.0, "text_near": 0.0}
    assert shared_texts([dataclasses.replace(example(0, "aorta", "train"), split="test")]) == {"text": 0.0, "text_near": 0.0}


def test_case_spaces_and_punctuation_do_not_count() -> None:
    assert normal("  The LARGEST\nlesion, please! ") == "the largest lesion please"
