from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.evaluate.scoring import score_answer
from stages.report.answers import outcome_of
from stages.report.cards import of_every, readable_claim, readable_evidence, spread
from tests.evaluate.builders import make_answer, make_example

HERE, THERE, ELSEWHERE = [10.0, 10.0, 30.0, 30.0], [50.0, 40.0, 70.0, 60.0], [80.0, 5.0, 95.0, 15.0]


@pytest.mark.parametrize(
    ("targets", "answered", "word"),
    [([HERE], [HERE], "hit"), ([HERE], [THERE], "wrong object"), ([HERE], [ELSEWHERE], "miss"), ([HERE], [], "miss"), ([], [], "hit"), ([], [THERE], "hallucinated")],
)
def test_what_became_of_an_answer_is_one_word(targets: list, answered: list, word: str) -> None:
    example = make_example(1, targets, distractors_xyxy_px=[THERE])
    assert outcome_of(score_answer(example, make_answer(example, "tuned", answered))) == word


@given(st.lists(st.tuples(st.integers(0, 4), st.integers())), st.integers(0, 12))
def test_spreading_is_fair_and_complete(items: list[tuple[int, int]], limit: int) -> None:
    chosen = spread(items, lambda item: item[0], lambda item: item[1], limit)
    assert len(chosen) == min(limit, len(items))
    sizes = {group: sum(item[0] == group for item in items) for group, _ in items}
    taken = {group: sum(item[0] == group for item in chosen) for group in sizes}
    for group, count in taken.items():
        assert count == sizes[group] or count >= max(taken.values()) - 1


def test_spreading_does_not_depend_on_the_order_of_items() -> None:
    items = [(group, number) for group in "ab" for number in range(5)]
    pick = [spread(order, lambda i: i[0], lambda i: -i[1], 3) for order in (items, items[::-1])]
    assert pick[0] == pick[1] == [("a", 4), ("b", 4), ("a", 3)]


def test_claims_read_as_words() -> None:
    assert readable_claim('{"kind": "relation", "value": "left_of", "other": "spleen"}') == "relation = left of spleen"
    assert readable_claim("free text") == "free text"


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers())), st.integers(0, 12))
def test_every_kind_has_an_example_even_beyond_the_limit(items: list[tuple[int, int, int]], limit: int) -> None:
    chosen = of_every(items, lambda item: item[0], lambda item: item[1], lambda item: item[2], limit)
    kinds = {item[0] for item in items}
    assert {item[0] for item in chosen} == kinds
    assert len(chosen) == max(len(kinds), min(limit, len(items)))


def test_claims_that_evidence_quotes_read_as_words() -> None:
    said = '{"kind": "relation", "other": "pituitary gland", "value": "inside"} of a/b/0#1: 2 < {3}'
    assert readable_evidence(said) == "relation = inside pituitary gland of a/b/0#1: 2 < {3}"
