"""Text read and executed; run with ``make bench``. The plain loop selects the same, so the race is a fair one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stages.core.claims import are_exact
from stages.knowledge.words import thresholds
from stages.verify.parser import parse
from tests.benchmarks.plain_claims import selects
from tests.benchmarks.verify import LEAST_TIMES_FASTER, MOST_SECONDS, N_ANCHORS, N_QUERIES, PER_SCENE, agree, conjunctions, contexts, fresh, texts, uniqueness, whole

pytestmark = pytest.mark.benchmark


def test_arrays_and_the_plain_loop_select_the_same() -> None:
    assert all(agree(conjunctions(PER_SCENE), context.scene) for context in contexts(20, seed=5))


def test_the_claims_of_100_000_queries_are_read_and_checked_in_a_minute() -> None:
    found = whole(N_QUERIES // 5)
    assert found["distinct_texts"] >= 20_000
    assert found["seconds"] < MOST_SECONDS / 5


def test_uniqueness_is_checked_many_times_faster_than_by_a_plain_loop() -> None:
    assert uniqueness()["times_faster_than_plain_python_loop"] >= LEAST_TIMES_FASTER


@pytest.mark.parametrize("contender", ["arrays", "arrays, new scene", "plain loop"])
def test_time_of_uniqueness(benchmark: Callable[..., Any], contender: str) -> None:
    scene, asked, t = contexts(1)[0].scene, conjunctions(PER_SCENE), thresholds()
    targets = np.zeros((PER_SCENE, N_ANCHORS), bool)
    contenders: dict[str, Callable[[], Any]] = {
        "arrays": lambda: are_exact(asked, targets, scene, t),
        "arrays, new scene": lambda: are_exact(asked, targets, fresh(scene), t),
        "plain loop": lambda: [selects(claims, scene, t) for claims in asked],
    }
    assert len(benchmark(contenders[contender])) == PER_SCENE


def test_time_of_parsing(benchmark: Callable[..., Any]) -> None:
    said = texts(1000)
    assert len(benchmark(lambda: [parse(text, "CT") for text in said])) == 1000
