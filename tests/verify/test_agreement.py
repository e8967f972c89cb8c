"""Kappa and Wilson's interval: known values, and what must hold for any ratings."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.verify.agreement import cohen_kappa, wilson

RATINGS = st.lists(st.tuples(st.sampled_from("yn?"), st.sampled_from("yn?")), min_size=1, max_size=60)


def _split(pairs: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [a for a, _ in pairs], [b for _, b in pairs]


def test_the_kappa_of_a_worked_example() -> None:
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen_kappa(*_split(pairs)) == pytest.approx(0.4)


@given(RATINGS)
def test_kappa_is_symmetric_and_bounded_or_undefined_when_a_rater_never_varies(pairs: list[tuple[str, str]]) -> None:
    first, second = _split(pairs)
    kappa = cohen_kappa(first, second)
    assert kappa == cohen_kappa(second, first) or kappa == pytest.approx(cohen_kappa(second, first))
    assert (kappa is None) == (len(set(first)) == 1 or len(set(second)) == 1)
    assert kappa is None or -1 - 1e-9 <= kappa <= 1 + 1e-9


@given(RATINGS)
def test_kappa_of_a_rater_with_itself_is_one(pairs: list[tuple[str, str]]) -> None:
    first, _ = _split(pairs)
    assert cohen_kappa(first, first) == (pytest.approx(1.0) if len(set(first)) > 1 else None)


@given(RATINGS, st.permutations("yn?"))
def test_kappa_does_not_change_when_categories_are_renamed(pairs: list[tuple[str, str]], names: list[str]) -> None:
    renamed = dict(zip("yn?", names, strict=True))
    first, second = _split(pairs)
    kappa = cohen_kappa(first, second)
    again = cohen_kappa([renamed[a] for a in first], [renamed[b] for b in second])
    assert again == (None if kappa is None else pytest.approx(kappa))


@pytest.mark.parametrize("seed", range(5))
def test_independent_raters_have_a_kappa_near_zero(seed: int) -> None:
    draw = random.Random(seed)
    first = [draw.random() < 0.8 for _ in range(20_000)]
    second = [draw.random() < 0.3 for _ in range(20_000)]
    kappa = cohen_kappa(first, second)
    assert kappa is not None and abs(kappa) < 0.02


def test_ratings_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="3 and 2"):
        cohen_kappa("yny", "yn")


@pytest.mark.parametrize(("successes", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (98, 100, 0.9300, 0.9945)])
def test_wilsons_interval_of_known_counts(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_mirrors_its_complement(counts: tuple[int, int]) -> None:
    successes, n = counts
    low, high = wilson(successes, n)
    assert 0 <= low <= (successes / n if n else 0.5) <= high <= 1
    assert wilson(n - successes, n) == (pytest.approx(1 - high), pytest.approx(1 - low))
